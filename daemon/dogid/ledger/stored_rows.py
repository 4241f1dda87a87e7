"""Which rows of the tables besides `photo` are whole, and what is left of those that were damaged on the disk."""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import ne

from dogid.ledger.row_repair import Columns, Value, is_sha256
from dogid.ledger.verdicts import VERDICTS, WITH_LABEL, WITHDRAWN

_FEW_BYTES = 2  # that damage changes in a word
_MOST_MS = 253_402_300_800_000  # the year 10000, which no date can show


def repair_event(row: Columns) -> Columns | None:
    """Return an event as it may stay; None where it must go: nothing else says what one was."""
    is_sound = isinstance(row["at"], int) and isinstance(row["kind"], str) and isinstance(row["detail"], str)
    return row if is_sound else None


def repair_review(row: Columns, find_copies: Callable[[Columns], Columns]) -> Columns | None:
    """Return a review as it may stay; None where it is lost about which content it is.

    One whose meaning is lost says `unsure`: were it removed, an older word would stand again. find_copies returns what
    other places of the ledger hold of a damaged one, `sha256` and `label`.
    """
    said = _repair_word(row, find_copies)
    if said is None:
        return None
    row = row | said
    score = row["model_score"]
    return row | {
        "photo_id": row["photo_id"] if isinstance(row["photo_id"], int) else 0,
        "path": row["path"] if isinstance(row["path"], bytes) else b"",
        "reviewer": row["reviewer"] if isinstance(row["reviewer"], str) else "somebody",
        "at": row["at"] if isinstance(row["at"], int) and 0 <= row["at"] < _MOST_MS else 0,
        "model_id": row["model_id"] if isinstance(row["model_id"], int) else None,
        "model_label": row["model_label"] if isinstance(row["model_label"], str) else None,
        "model_score": float(score) if isinstance(score, int | float) and math.isfinite(score) else None,
    }


def _repair_word(row: Columns, find_copies: Callable[[Columns], Columns]) -> Columns | None:
    """Return content, verdict and label of a review as they may stay; None where the content is lost."""
    sha256, verdict, label = row["sha256"], row["verdict"], row["label"]
    if is_sha256(sha256) and verdict in VERDICTS and (verdict in WITH_LABEL) == isinstance(label, str):
        return {}
    copies = find_copies(row)
    sha256 = sha256 if is_sha256(sha256) else copies.get("sha256")
    if not is_sha256(sha256):
        return None
    if not isinstance(label, str):
        label = next(filter(None, map(_as_label, (copies.get("label"), label))), None)
    if verdict not in VERDICTS:
        verdict = _nearest_verdict(verdict, WITH_LABEL if label is not None else ("unsure", WITHDRAWN))
    if verdict == "confirmed" and label is None:
        label = _as_label(row["model_label"])
    if verdict in WITH_LABEL and label is None:
        verdict = "unsure"
    return {"sha256": sha256, "verdict": verdict, "label": label if verdict in WITH_LABEL else None}


def _as_label(value: Value) -> str | None:
    """Return a text that damage has made a blob of, or that is one; None where it cannot be read."""
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return None
    return text if isinstance(text, str) and text and text.isprintable() else None


def _nearest_verdict(found: Value, among: Sequence[str]) -> str:
    """Return the verdict that damaged bytes differ least from; the first, which is the safe one, where none is near."""
    data = found.encode() if isinstance(found, str) else found if isinstance(found, bytes) else b""
    near = (one for one in among if len(one) == len(data) and sum(map(ne, one.encode(), data)) <= _FEW_BYTES)
    return next(near, among[0])


def repair_embedding(row: Columns) -> Columns | None:
    """Return an embedding as it may stay; None where it is damaged: it can be made again."""
    is_sound = isinstance(row["network"], str) and isinstance(row["data"], bytes)
    is_sound = is_sound and ("sha256" not in row or (is_sha256(row["sha256"]) and isinstance(row["at"], int)))
    return row if is_sound else None


Repair = Callable[[Columns, Callable[[Columns], Columns]], Columns | None]
"""Given a row, and what finds other copies of a review's columns, the row as it may stay, or None."""
REPAIRS: Mapping[str, Repair] = {
    "event": lambda row, _: repair_event(row),
    "review": repair_review,
    "recent_embedding": lambda row, _: repair_embedding(row),
    "reviewed_embedding": lambda row, _: repair_embedding(row),
}
"""By table."""
