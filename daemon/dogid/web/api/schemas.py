"""JSON Schemas of all request and response bodies."""

from typing import Any

from dogid.errors import PhotoCode
from dogid.ledger.result_rows import STATUSES
from dogid.ledger.verdicts import STANDING
from dogid.shelf.open_model import Origin

Document = dict[str, Any]


def _object(properties: Document, *, closed: bool = True) -> Document:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": not closed,
    }


def _or_null(kind: str, **rules: Any) -> Document:
    return {"type": [kind, "null"], **rules}


def _array(items: Document) -> Document:
    return {"type": "array", "items": items}


def reference(name: str) -> Document:
    """Return a reference to one of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}
_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

ERROR = _object({"error": _object({"code": {"type": "string"}, "message": {"type": "string"}})})

REVIEW = _object(
    {
        "label": _or_null("string", description="the right label; null where the verdict is unsure"),
        "verdict": {"type": "string", "enum": list(STANDING)},
        "by": {"type": "string"},
        "at": _TIME,
    }
)

TIMINGS = _object({stage: _or_null("number", minimum=0) for stage in ("decode", "invoke", "total")})

_RESULT = {
    "id": _or_null("integer", minimum=1, description="increases; null for an uploaded photo"),
    "file": _or_null("string", description="relative to the inbox; for an uploaded photo, the name in the form"),
    "status": {"type": "string", "enum": list(STATUSES)},
    "label": _or_null("string"),
    "score": {"anyOf": [_PROBABILITY, {"type": "null"}]},
    "scores": {"type": "object", "additionalProperties": _PROBABILITY, "maxProperties": 5},
    "unsure": _or_null("boolean", description="whether score is below the label's threshold; null without a label"),
    "sha256": {"anyOf": [_SHA256, {"type": "null"}]},
    "width": _or_null("integer", minimum=1),
    "height": _or_null("integer", minimum=1),
    "modified_at": {"anyOf": [_TIME, {"type": "null"}]},
    "taken_at": {
        "anyOf": [_TIME, {"type": "null"}],
        "description": "by the photo's EXIF; without an offset there, in the time zone of the machine; else null",
    },
    "classified_at": {"anyOf": [_TIME, {"type": "null"}]},
    "model": _or_null("string"),
    "timings_ms": reference("Timings"),
    "reviewed": {"anyOf": [reference("Review"), {"type": "null"}], "description": "a person's word on the content"},
    "present": {"type": "boolean", "description": "whether the file is in the inbox, as this version"},
    "folder": _or_null("string", description="of the inbox; empty for the inbox itself, null for an uploaded photo"),
    "error": {
        "anyOf": [
            _object({"code": {"type": "string", "enum": list(PhotoCode)}, "message": {"type": "string"}}),
            {"type": "null"},
        ]
    },
}

RESULT = _object(_RESULT)

_STEP = {
    "type": "object",
    "properties": {
        "at": _TIME,
        "event": {"type": "string"},
        "result": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["at", "event", "result", "detail"],
}

RESULT_WITH_HISTORY = _object(
    {
        **_RESULT,
        "history": _array(_STEP),
        "next": _or_null("string", description="URL of the next, older page of the history; null after the last"),
    }
)

RESULTS = _object(
    {
        "results": _array(reference("Result")),
        "next": _or_null("string", description="address of the next, older page; null after the last"),
    }
)

LABELLED_RESULTS = _object({"results": _array(reference("Result"))})

TO_REVIEW = _object({"results": _array(reference("Result")), "order": {"type": "string"}})

ANSWER = {
    "type": "array",
    # first the strings, then the numbers; prefixItems would say so, but not all OpenAPI tools understand it
    "items": {"anyOf": [_array({"type": "string"}), _array(_PROBABILITY)]},
    "minItems": 2,
    "maxItems": 2,
    "description": "labels and their probabilities, both in the model's label order",
}

_MODEL_CHOICE = {
    "sha256": _SHA256,
    "origin": {"type": "string", "enum": list(Origin)},
    "made_from": {"type": "string"},
    "activated_at": {"anyOf": [_TIME, {"type": "null"}]},
    "problem": _or_null("string", description="why it is not the model that was activated"),
}

MODEL = _object(
    {
        "name": {"type": "string"},
        "sha256": {"anyOf": [_SHA256, {"type": "null"}]},
        "size": _COUNT,
        "labels": _array({"type": "string"}),
        "made_from": {"type": "string"},
        "added_at": _TIME,
        "activated_at": {"anyOf": [_TIME, {"type": "null"}]},
        "active": {"type": "boolean"},
        "previous": {"type": "boolean", "description": "whether a rollback goes to it"},
        "passed": _or_null("boolean", description="whether a learned model has passed the gate; null for others"),
        "shipped": {"type": "boolean"},
        "problem": _or_null("string", description="why it cannot be used"),
    }
)

MODELS = _object(
    {
        "models": _array(reference("Model")),
        "running": _object({"name": {"type": "string"}, **_MODEL_CHOICE}),
    }
)

LEARNING = _object(
    {
        "running": {"type": "boolean"},
        "report": {
            "type": ["object", "null"],
            "description": "of the last run, as `dogid learn --json` prints it",
            "properties": {
                "model": {"type": "string"},
                "name": {"type": "string"},
                "passed": {"type": "boolean"},
                "activated": {"type": "boolean"},
                "gate": {"type": "object"},
            },
            "required": ["model", "name", "passed", "activated", "gate"],
        },
        "error": {
            "type": ["object", "null"],
            "description": "why the last run has no report",
            "properties": {"message": {"type": "string"}},
            "required": ["message"],
        },
    }
)

_SHARE = {"anyOf": [_PROBABILITY, {"type": "null"}]}
_FIGURES = {
    "photos": _COUNT | {"description": "that the shares are of"},
    "mean_score": _SHARE,
    "other_share": _SHARE,
    "unsure_share": _SHARE,
    "reviewed": _COUNT,
    "corrected": _COUNT,
}
_DRIFT = _object(
    {
        "photos_a_week": _COUNT | {"description": "looked at, the newest; at most"},
        "weeks": _array(
            _object({"since": _TIME, **_FIGURES, "models": _array(_object({"model": {"type": "string"}, **_FIGURES}))})
        ),
        "folders": _array(
            _object({"folder": {"type": "string"}, "recent": _object(_FIGURES), "before": _object(_FIGURES)})
        ),
    }
)

_LEARNING_STATE = _object(
    {
        "mode": {"type": "string", "description": "the setting learning"},
        "last": {
            "anyOf": [
                _object(
                    {
                        "name": _or_null("string"),
                        "sha256": {"anyOf": [_SHA256, {"type": "null"}]},
                        "passed": {"type": "boolean"},
                        "activated": {"type": "boolean"},
                        "at": {"anyOf": [_TIME, {"type": "null"}]},
                        "summary": {"type": "string"},
                        "error": _or_null("string", description="why nothing was learned"),
                    }
                ),
                {"type": "null"},
            ],
            "description": "the last learning run",
        },
        "rolled_back": {
            "anyOf": [
                _object({"name": {"type": "string"}, "sha256": _SHA256, "at": _TIME, "reason": {"type": "string"}}),
                {"type": "null"},
            ],
            "description": "the model that dogid left by itself since then, as people's words show it to be worse",
        },
    }
)

_OUTPUT = _object(
    {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "enabled": {"type": "boolean"},
        "ok": {
            "type": "boolean",
            "description": "whether it is enabled, and neither fails nor has refused anything",
        },
        "backlog": _COUNT | {"description": "deliveries that wait, about"},
        "sent": _COUNT,
        "failed": _COUNT | {"description": "attempts"},
        "parked": _COUNT | {"description": "deliveries that the other side refused, and that were not sent again"},
        "refusal": {"anyOf": [_object({"reason": {"type": "string"}, "at": _TIME}), {"type": "null"}]},
        "error": {"anyOf": [_object({"message": {"type": "string"}, "since": _TIME}), {"type": "null"}]},
        "last_sent_at": {"anyOf": [_TIME, {"type": "null"}]},
        "next_try_at": {"anyOf": [_TIME, {"type": "null"}]},
    }
)

STATUS = _object(
    {
        "counts": _object(dict.fromkeys(STATUSES, _COUNT)),
        "present": _object(dict.fromkeys(STATUSES, _COUNT)),
        "queue": _object({"pending": _COUNT, "in_flight": _COUNT}),
        "model": _object(
            {
                "name": {"type": "string"},
                "labels": _array({"type": "string"}),
                "input": _object(
                    {
                        "width": _COUNT,
                        "height": _COUNT,
                        "dtype": {"type": "string"},
                        "channels": {"enum": ["rgb", "bgr", "grey"]},
                        "normalisation": {"type": "string"},
                        "setting": {"type": "string"},
                        "origin": {"enum": ["file", "derived", "set", "guessed"]},
                    }
                ),
                "warnings": _array({"type": "string"}),
                "self_test": {"type": "string"},
                **_MODEL_CHOICE,
            }
        ),
        "older_answers": _COUNT | {"description": "photos in the inbox with the answer of another model than this one"},
        "drift": _DRIFT,
        "learning": _LEARNING_STATE,
        "name": {"type": "string", "description": "of the daemon, among others"},
        "outputs": _array(_OUTPUT),
        "inbox": {"type": "string"},
        "watcher": _object(
            {
                "mode": {"type": "string"},
                "reason": {"type": "string"},
                "last_scan": {"anyOf": [_TIME, {"type": "null"}]},
                "last_scan_seconds": _or_null("number"),
                "files": _or_null("integer"),
                "trouble": _or_null("string"),
            }
        ),
        "ledger": _object(
            {"moved_aside": _or_null("string"), "salvaged": _or_null("integer", minimum=0), "damaged_rows": _COUNT}
        ),
        "versions": _object({name: {"type": "string"} for name in ("dogid", "python", "backend")}),
        "uptime_seconds": {"type": "number", "minimum": 0},
    },
    closed=False,
)

HEALTH = _object(
    {
        "status": {"type": "string", "enum": ["ok"]},
        "reason": {"type": "string"},
        "problem": _or_null("string"),
    }
)

CONTRADICTION = _object(
    {
        "sha256": _SHA256,
        "label": _or_null("string", description="in the model's file"),
        "other": _or_null("string", description="the label that speaks against it"),
        "reason": _or_null("string"),
        "answer": {"enum": ["relabel", "drop", "keep", None]},
        "answer_label": _or_null("string", description="what the photo shows, by people"),
        "by": _or_null("string"),
        "at": {"anyOf": [_TIME, {"type": "null"}]},
    }
)

CONTRADICTIONS = _object({"contradictions": _array(reference("Contradiction"))})

STORED = _object(
    {
        "stored": _array(
            _object(
                {
                    "name": {"type": "string", "description": "as it was sent"},
                    "file": {"type": "string", "description": "its name in the inbox, as in RESULT"},
                }
            )
        )
    }
)

COMPONENTS: dict[str, Document] = {
    "Answer": ANSWER,
    "Contradiction": CONTRADICTION,
    "Contradictions": CONTRADICTIONS,
    "Error": ERROR,
    "Health": HEALTH,
    "Model": MODEL,
    "Models": MODELS,
    "LabelledResults": LABELLED_RESULTS,
    "Learning": LEARNING,
    "Result": RESULT,
    "ResultWithHistory": RESULT_WITH_HISTORY,
    "Results": RESULTS,
    "Review": REVIEW,
    "ToReview": TO_REVIEW,
    "Status": STATUS,
    "Stored": STORED,
    "Timings": TIMINGS,
}
"""By the names that `reference` takes."""
