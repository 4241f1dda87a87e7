"""RESULT, the JSON document of one photo in HTTP and in the commands: built here and nowhere else."""

from collections.abc import Mapping
from typing import Any

from dogid.clock import iso_utc

_NO_THRESHOLDS: Mapping[str, float] = {}

Result = dict[str, Any]
"""One RESULT of the public interface, ready for JSON."""


def result_document(
    *,
    number: int | None,
    file: str | None,
    status: str,
    scores: Mapping[str, float],
    sha256: str | None = None,
    width: int | None = None,
    height: int | None = None,
    modified_ms: int | None = None,
    taken_ms: int | None = None,
    classified_ms: int | None = None,
    model: str | None = None,
    decode_ms: float | None = None,
    invoke_ms: float | None = None,
    total_ms: float | None = None,
    error_code: str | None = None,
    error_message: str | None = None,
    reviewed: Mapping[str, Any] | None = None,
    present: bool = False,
    thresholds: Mapping[str, float] = _NO_THRESHOLDS,
) -> Result:
    """Return RESULT; label and score are those of the first of scores, null where there are none.

    number is the result's id, null where the photo is in no ledger; file the name as it is shown; scores the best
    probabilities by label, best first; width and height in pixels, upright; modified_ms, taken_ms and
    classified_ms in milliseconds since 1970, UTC; model the name of its file. An error has a code, and then a message.
    reviewed is a person's word on the content: label, verdict, by and at. present is whether the file is in the inbox;
    a photo in no ledger is in no folder of it. thresholds are scores (0..1) by label, below which an answer is unsure.
    """
    label, score = next(iter(scores.items()), (None, None))
    return {
        "id": number,
        "file": file,
        "status": status,
        "label": label,
        "score": score,
        "scores": scores,
        "unsure": None if label is None or score is None else score < thresholds.get(label, 0.0),
        "sha256": sha256,
        "width": width,
        "height": height,
        "modified_at": None if modified_ms is None else iso_utc(modified_ms),
        "taken_at": None if taken_ms is None else iso_utc(taken_ms),
        "classified_at": None if classified_ms is None else iso_utc(classified_ms),
        "model": model,
        "timings_ms": {"decode": decode_ms, "invoke": invoke_ms, "total": total_ms},
        "reviewed": reviewed,
        "present": present,
        "folder": None if number is None or file is None else file.rpartition("/")[0],
        "error": None if error_code is None else {"code": error_code, "message": error_message},
    }


def is_unsure(result: Mapping[str, Any]) -> bool:
    """Return whether the model, by its threshold, or a person is unsure what a photo shows."""
    word = result["reviewed"]
    return bool(result["unsure"]) or (word is not None and word["verdict"] == "unsure")
