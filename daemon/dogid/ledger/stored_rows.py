"""Which rows of the tables besides `photo` are whole, and what is left of those that were damaged on the disk."""

import math
from collections.abc import Callable, Mapping

from dogid.ledger.row_repair import Columns, is_sha256

_VERDICTS = ("labelled", "confirmed", "unsure", "withdrawn")


def repair_event(row: Columns) -> Columns | None:
    """Return an event as it may stay; None where it must go: nothing else says what one was."""
    is_sound = isinstance(row["at"], int) and isinstance(row["kind"], str) and isinstance(row["detail"], str)
    return row if is_sound else None


def repair_review(row: Columns) -> Columns | None:
    """Return a review as it may stay; None where it is lost what was said, or about which content."""
    verdict, label = row["verdict"], row["label"]
    if not is_sha256(row["sha256"]) or verdict not in _VERDICTS:
        return None
    if (verdict in ("labelled", "confirmed")) != isinstance(label, str):
        return None
    score = row["model_score"]
    return row | {
        "photo_id": row["photo_id"] if isinstance(row["photo_id"], int) else 0,
        "path": row["path"] if isinstance(row["path"], bytes) else b"",
        "reviewer": row["reviewer"] if isinstance(row["reviewer"], str) else "somebody",
        "at": row["at"] if isinstance(row["at"], int) else 0,
        "model_id": row["model_id"] if isinstance(row["model_id"], int) else None,
        "model_label": row["model_label"] if isinstance(row["model_label"], str) else None,
        "model_score": float(score) if isinstance(score, int | float) and math.isfinite(score) else None,
    }


def repair_embedding(row: Columns) -> Columns | None:
    """Return an embedding as it may stay; None where it is damaged: it can be made again."""
    is_sound = isinstance(row["network"], str) and isinstance(row["data"], bytes)
    is_sound = is_sound and ("sha256" not in row or (is_sha256(row["sha256"]) and isinstance(row["at"], int)))
    return row if is_sound else None


REPAIRS: Mapping[str, Callable[[Columns], Columns | None]] = {
    "event": repair_event,
    "review": repair_review,
    "recent_embedding": repair_embedding,
    "reviewed_embedding": repair_embedding,
}
"""By table."""
