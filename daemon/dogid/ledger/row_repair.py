"""Repairing a row of the table `photo` that was damaged on the disk: what is certain stays, nothing is guessed.

A label, its score and the scores hold each other: two of them that agree prove a result.
"""

import json
import math
from collections.abc import Mapping

from dogid.errors import PhotoCode
from dogid.ledger.result_rows import STATES
from dogid.photo.taken_at import is_moment

Value = int | float | str | bytes | None
"""A column's value. Bytes for a blob, and for text that is not UTF-8."""
Columns = dict[str, Value]
"""A row's values by the names of the columns; bytes where a text is not UTF-8."""

_NUMBERS = ("inode", "size", "mtime_ns", "seen_at", "still_since", "due", "attempts")
_OPTIONAL_NUMBERS = (
    "superseded_by", "classified_at", "model_id", "width", "height", "seq", "history_id", "ctime_ns",
    "maybe_former_id", "absent_at",
)  # fmt: skip
_REALS = ("decode_ms", "invoke_ms", "total_ms")
_ANSWER = (
    "classified_at", "model_id", "label", "score", "scores", "sha256", "width", "height", "decode_ms", "invoke_ms",
    "total_ms", "taken_at", "error_code", "error_message", "seq",
)  # fmt: skip
_RESULT = ("model_id", "label", "score", "scores", "width", "height", "taken_at", *_REALS)
"""What only a photo that was classified has."""
_SHA256_DIGITS = 64
_MOST_SCORE = 1.001  # a probability may be rounded up


def repair_row(row: Columns, labels: Mapping[int, frozenset[str]]) -> Columns | None:
    """Return a row as it may stay in the ledger, itself where it is whole; None where it must go.

    labels: those of each model, by its id. A photo whose answer cannot be saved becomes pending, unless it is known to
    have left the inbox.
    """
    path = row["path"]
    if not isinstance(path, bytes) or not path or path.startswith(b"/") or b"\0" in path:
        return None
    repaired = dict(row)
    for name in _NUMBERS:
        repaired[name] = _number(row[name]) or 0
    for name in _OPTIONAL_NUMBERS:
        repaired[name] = _number(row[name])
    for name in _REALS:
        repaired[name] = _real(row[name])
    taken_at = row["taken_at"]
    repaired["taken_at"] = taken_at if isinstance(taken_at, str) and is_moment(taken_at) else None
    if row["state"] not in STATES:
        repaired["state"] = _guess_state(repaired)
    if repaired["state"] == "superseded":
        return _repair_former(repaired, labels)
    repaired["superseded_by"] = None
    if repaired["state"] == "pending":
        return _repair_pending(repaired)
    is_classified = repaired["state"] == "classified"
    if _repair_answer(repaired, labels) if is_classified else _repair_failure(repaired):
        return repaired
    return None if repaired["absent_at"] is not None else _without_answer(repaired)


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) else None


def _real(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _guess_state(row: Columns) -> str:
    if row["superseded_by"] is not None:
        return "superseded"
    if row["seq"] is None:
        return "pending"
    return "classified" if row["scores"] is not None else "failed"


def _repair_former(row: Columns, labels: Mapping[int, frozenset[str]]) -> Columns | None:
    """Former versions were classified, or failed, or never answered; a damaged one counts for nothing by itself."""
    if row["label"] is not None or row["scores"] is not None:
        return row if _repair_answer(row, labels) else None
    if row["error_code"] is not None and row["classified_at"] is not None:
        return row if _repair_failure(row) else None
    return row | dict.fromkeys(_ANSWER) | _reason_to_wait(row)


def _repair_answer(row: Columns, labels: Mapping[int, frozenset[str]]) -> bool:
    """Repair the answer of a classified row, in place; return whether it is certain."""
    model = row["model_id"]
    known = labels.get(model) if isinstance(model, int) else None
    label, score = row["label"], row["score"]
    score = _real(score)
    scores = _parse_scores(row["scores"], known)
    if scores is None:
        if not (known and label in known and score is not None and 0 <= score <= _MOST_SCORE):
            return False
        row["scores"] = json.dumps({label: score}, ensure_ascii=False)
    else:
        first, first_score = next(iter(scores.items()))
        if label == first and score != first_score and score is not None and 0 <= score <= _MOST_SCORE:
            return False  # two probabilities for one label: which of them is damaged cannot be known
        if label != first and score != first_score:
            return False
        label, score = first, first_score
    row["label"], row["score"] = label, score
    row["error_code"] = row["error_message"] = None
    if row["classified_at"] is None:
        row["classified_at"] = row["seen_at"]
    if is_sha256(row["sha256"]):
        return True
    row["sha256"] = None  # the answer of a photo that has left is true without it, too
    return row["absent_at"] is not None or row["state"] == "superseded"


def _parse_scores(text: Value, known: frozenset[str] | None) -> dict[str, float] | None:
    """Return probabilities by label, best first; None where the text is no such thing."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
        json.dumps(found, ensure_ascii=False).encode()  # a label may be half of a character: no database takes that
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found or (known is not None and not known.issuperset(found)):
        return None
    values = list(found.values())
    is_sound = all(
        isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= _MOST_SCORE for value in values
    )
    return found if is_sound and values == sorted(values, reverse=True) else None


def _repair_failure(row: Columns) -> bool:
    """Repair a failed row, in place; return whether its reason is certain."""
    if row["error_code"] not in list(PhotoCode) or not isinstance(row["error_message"], str):
        return False
    row |= dict.fromkeys(_RESULT)
    row["sha256"] = row["sha256"] if is_sha256(row["sha256"]) else None
    if row["classified_at"] is None:
        row["classified_at"] = row["seen_at"]
    return True


def _repair_pending(row: Columns) -> Columns:
    """A damaged row is tried at once; a whole one keeps when it is due, and what it waits for."""
    repaired = row | dict.fromkeys(_ANSWER) | _reason_to_wait(row)
    return repaired if repaired == row else _without_answer(row)


def _reason_to_wait(row: Columns) -> Columns:
    code, message = row["error_code"], row["error_message"]
    is_sound = code in list(PhotoCode) and isinstance(message, str)
    return {"error_code": code, "error_message": message} if is_sound else {}


def _without_answer(row: Columns) -> Columns:
    """Return a row as that of a photo that is still to be looked at."""
    return row | dict.fromkeys(_ANSWER) | {"state": "pending", "due": 0, "attempts": 0}


def is_sha256(value: Value) -> bool:
    """Return whether a value is a SHA-256 as dogid writes it: 64 hexadecimal digits in lower case."""
    return isinstance(value, str) and len(value) == _SHA256_DIGITS and set(value) <= set("0123456789abcdef")
