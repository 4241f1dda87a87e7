"""JSON Schemas of all request and response bodies."""

from dogid.errors import PhotoCode
from dogid.ledger.result_rows import STATUSES
from dogid.ledger.verdicts import STANDING
from dogid.web.api.schema_parts import (
    COUNT,
    PROBABILITY,
    SHA256,
    TIME,
    Document,
    array_of,
    object_of,
    or_null,
    reference,
)
from dogid.web.api.status_schemas import HEALTH, MODEL_CHOICE, STATUS

ERROR = object_of({"error": object_of({"code": {"type": "string"}, "message": {"type": "string"}})})

REVIEW = object_of(
    {
        "label": or_null("string", description="the right label; null where the verdict is unsure"),
        "verdict": {"type": "string", "enum": list(STANDING)},
        "by": {"type": "string"},
        "at": TIME,
    }
)

TIMINGS = object_of({stage: or_null("number", minimum=0) for stage in ("decode", "invoke", "total")})

_RESULT = {
    "id": or_null("integer", minimum=1, description="increases; null for an uploaded photo"),
    "file": or_null("string", description="relative to the inbox; for an uploaded photo, the name in the form"),
    "status": {"type": "string", "enum": list(STATUSES)},
    "label": or_null("string"),
    "score": {"anyOf": [PROBABILITY, {"type": "null"}]},
    "scores": {"type": "object", "additionalProperties": PROBABILITY, "maxProperties": 5},
    "unsure": or_null("boolean", description="whether score is below the label's threshold; null without a label"),
    "sha256": {"anyOf": [SHA256, {"type": "null"}]},
    "width": or_null("integer", minimum=1),
    "height": or_null("integer", minimum=1),
    "modified_at": {"anyOf": [TIME, {"type": "null"}]},
    "taken_at": {
        "anyOf": [TIME, {"type": "null"}],
        "description": "by the photo's EXIF; without an offset there, in the time zone of the machine; else null",
    },
    "classified_at": {"anyOf": [TIME, {"type": "null"}]},
    "model": or_null("string"),
    "timings_ms": reference("Timings"),
    "reviewed": {"anyOf": [reference("Review"), {"type": "null"}], "description": "a person's word on the content"},
    "present": {"type": "boolean", "description": "whether the file is in the inbox, as this version"},
    "folder": or_null("string", description="of the inbox; empty for the inbox itself, null for an uploaded photo"),
    "error": {
        "anyOf": [
            object_of({"code": {"type": "string", "enum": list(PhotoCode)}, "message": {"type": "string"}}),
            {"type": "null"},
        ]
    },
}

RESULT = object_of(_RESULT)

_STEP = {
    "type": "object",
    "properties": {
        "at": TIME,
        "event": {"type": "string"},
        "result": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["at", "event", "result", "detail"],
}

RESULT_WITH_HISTORY = object_of(
    {
        **_RESULT,
        "history": array_of(_STEP),
        "next": or_null("string", description="URL of the next, older page of the history; null after the last"),
    }
)

RESULTS = object_of(
    {
        "results": array_of(reference("Result")),
        "next": or_null("string", description="address of the next, older page; null after the last"),
    }
)

LABELLED_RESULTS = object_of({"results": array_of(reference("Result"))})

TO_REVIEW = object_of({"results": array_of(reference("Result")), "order": {"type": "string"}})

ANSWER = {
    "type": "array",
    # first the strings, then the numbers; prefixItems would say so, but not all OpenAPI tools understand it
    "items": {"anyOf": [array_of({"type": "string"}), array_of(PROBABILITY)]},
    "minItems": 2,
    "maxItems": 2,
    "description": "labels and their probabilities, both in the model's label order",
}

MODEL = object_of(
    {
        "name": {"type": "string"},
        "sha256": {"anyOf": [SHA256, {"type": "null"}]},
        "size": COUNT,
        "labels": array_of({"type": "string"}),
        "made_from": {"type": "string"},
        "added_at": TIME,
        "activated_at": {"anyOf": [TIME, {"type": "null"}]},
        "active": {"type": "boolean"},
        "previous": {"type": "boolean", "description": "whether a rollback goes to it"},
        "passed": or_null("boolean", description="whether a learned model has passed the gate; null for others"),
        "shipped": {"type": "boolean"},
        "problem": or_null("string", description="why it cannot be used"),
    }
)

MODELS = object_of(
    {
        "models": array_of(reference("Model")),
        "running": object_of({"name": {"type": "string"}, **MODEL_CHOICE}),
    }
)

LEARNING = object_of(
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

CONTRADICTION = object_of(
    {
        "sha256": SHA256,
        "label": or_null("string", description="in the model's file"),
        "other": or_null("string", description="the label that speaks against it"),
        "reason": or_null("string"),
        "answer": {"enum": ["relabel", "drop", "keep", None]},
        "answer_label": or_null("string", description="what the photo shows, by people"),
        "by": or_null("string"),
        "at": {"anyOf": [TIME, {"type": "null"}]},
    }
)

CONTRADICTIONS = object_of({"contradictions": array_of(reference("Contradiction"))})

STORED = object_of(
    {
        "stored": array_of(
            object_of(
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
