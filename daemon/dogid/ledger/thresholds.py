"""The thresholds below which answers are unsure: a connection's, and the condition in SQL by them."""

import sqlite3
from collections.abc import Mapping

from dogid.ledger.reading_connection import ReadingConnection

_NONE: Mapping[str, float] = {}


def thresholds_of(db: sqlite3.Connection) -> Mapping[str, float]:
    """Return the scores, by label, below which answers that a connection reads are unsure."""
    return db.thresholds if isinstance(db, ReadingConnection) else _NONE


def unsure_condition(db: sqlite3.Connection, *, unsure: bool) -> tuple[str, tuple[float, ...]]:
    """Return the condition, in SQL, of rows of photos whose answer is unsure, or is not, with values for parameters."""
    thresholds = thresholds_of(db)
    if not thresholds or not isinstance(db, ReadingConnection):
        return ("0" if unsure else "state = 'classified'"), ()
    db.define_threshold()
    highest = max(thresholds.values())  # what reaches it needs no call of a Python function
    if unsure:
        return "state = 'classified' AND score < ? AND score < threshold(label)", (highest,)
    return "state = 'classified' AND (score >= ? OR score >= coalesce(threshold(label), 0.0))", (highest,)
