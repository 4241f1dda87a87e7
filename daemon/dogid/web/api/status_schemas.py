"""The schemas of what is said of the daemon: its status and its health."""

from dogid.ledger.result_rows import STATUSES
from dogid.shelf.open_model import Origin
from dogid.web.api.schema_parts import COUNT, PROBABILITY, SHA256, TIME, array_of, object_of, or_null

MODEL_CHOICE = {
    "sha256": SHA256,
    "origin": {"type": "string", "enum": list(Origin)},
    "made_from": {"type": "string"},
    "activated_at": {"anyOf": [TIME, {"type": "null"}]},
    "problem": or_null("string", description="why it is not the model that was activated"),
}

_SHARE = {"anyOf": [PROBABILITY, {"type": "null"}]}
_FIGURES = {
    "photos": COUNT | {"description": "that the shares are of"},
    "mean_score": _SHARE,
    "other_share": _SHARE,
    "unsure_share": _SHARE,
    "reviewed": COUNT,
    "corrected": COUNT,
}
_DRIFT = object_of(
    {
        "photos_a_week": COUNT | {"description": "looked at, the newest; at most"},
        "weeks": array_of(
            object_of(
                {"since": TIME, **_FIGURES, "models": array_of(object_of({"model": {"type": "string"}, **_FIGURES}))}
            )
        ),
        "folders": array_of(
            object_of({"folder": {"type": "string"}, "recent": object_of(_FIGURES), "before": object_of(_FIGURES)})
        ),
    }
)

_LEARNING_STATE = object_of(
    {
        "mode": {"type": "string", "description": "the setting learning"},
        "last": {
            "anyOf": [
                object_of(
                    {
                        "name": or_null("string"),
                        "sha256": {"anyOf": [SHA256, {"type": "null"}]},
                        "passed": {"type": "boolean"},
                        "activated": {"type": "boolean", "description": "whether the run has activated it"},
                        "active": {"type": "boolean", "description": "whether it is the model that runs now"},
                        "at": {"anyOf": [TIME, {"type": "null"}]},
                        "summary": {"type": "string"},
                        "error": or_null("string", description="why nothing was learned"),
                    }
                ),
                {"type": "null"},
            ],
            "description": "the last learning run",
        },
        "rolled_back": {
            "anyOf": [
                object_of({"name": {"type": "string"}, "sha256": SHA256, "at": TIME, "reason": {"type": "string"}}),
                {"type": "null"},
            ],
            "description": "the model that dogid left by itself since then, as people's words show it to be worse",
        },
    }
)

_OUTPUT = object_of(
    {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "enabled": {"type": "boolean"},
        "ok": {
            "type": "boolean",
            "description": "whether it is enabled, and neither fails nor has refused anything",
        },
        "backlog": COUNT | {"description": "deliveries that wait, about"},
        "sent": COUNT,
        "failed": COUNT | {"description": "attempts"},
        "parked": COUNT | {"description": "deliveries that the other side refused, and that were not sent again"},
        "missed": COUNT
        | {"description": "events that were never sent, as the ledger no longer had their results when they were due"},
        "refusal": {"anyOf": [object_of({"reason": {"type": "string"}, "at": TIME}), {"type": "null"}]},
        "error": {"anyOf": [object_of({"message": {"type": "string"}, "since": TIME}), {"type": "null"}]},
        "last_sent_at": {"anyOf": [TIME, {"type": "null"}]},
        "next_try_at": {"anyOf": [TIME, {"type": "null"}]},
    }
)

STATUS = object_of(
    {
        "counts": object_of(dict.fromkeys(STATUSES, COUNT)),
        "present": object_of(dict.fromkeys(STATUSES, COUNT)),
        "queue": object_of({"pending": COUNT, "in_flight": COUNT}),
        "model": object_of(
            {
                "name": {"type": "string"},
                "labels": array_of({"type": "string"}),
                "input": object_of(
                    {
                        "width": COUNT,
                        "height": COUNT,
                        "dtype": {"type": "string"},
                        "channels": {"enum": ["rgb", "bgr", "grey"]},
                        "normalisation": {"type": "string"},
                        "setting": {"type": "string"},
                        "origin": {"enum": ["file", "derived", "set", "guessed"]},
                    }
                ),
                "warnings": array_of({"type": "string"}),
                "self_test": {"type": "string"},
                **MODEL_CHOICE,
            }
        ),
        "older_answers": COUNT | {"description": "photos in the inbox with the answer of another model than this one"},
        "drift": _DRIFT,
        "learning": _LEARNING_STATE,
        "name": {"type": "string", "description": "of the daemon, among others"},
        "outputs": array_of(_OUTPUT),
        "inbox": {"type": "string"},
        "watcher": object_of(
            {
                "mode": {"type": "string"},
                "reason": {"type": "string"},
                "last_scan": {"anyOf": [TIME, {"type": "null"}]},
                "last_scan_seconds": or_null("number"),
                "files": or_null("integer"),
                "trouble": or_null("string"),
                "links_out": or_null("string", description="links out of the inbox, which are not followed"),
            }
        ),
        "ledger": object_of(
            {"moved_aside": or_null("string"), "salvaged": or_null("integer", minimum=0), "damaged_rows": COUNT}
        ),
        "versions": object_of({name: {"type": "string"} for name in ("dogid", "python", "backend")}),
        "uptime_seconds": {"type": "number", "minimum": 0},
    },
    closed=False,
)

HEALTH = object_of(
    {
        "status": {"type": "string", "enum": ["ok"]},
        "reason": {"type": "string"},
        "problem": or_null("string"),
    }
)
