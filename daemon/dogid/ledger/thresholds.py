"""The thresholds below which answers are unsure: a connection's, and the condition in SQL by them."""

import sqlite3
from collections.abc import Mapping

from dogid.ledger.reading_connection import ReadingConnection

_NONE: Mapping[str, float] = {}


def thresholds_of(db: sqlite3.Connection) -> Mapping[str, float]:
    """Return the scores, by label, below which answers that a connection reads are unsure."""
    return db.thresholds if isinstance(db, ReadingConnection) else _NONE


def unsure_condition(db: sqlite3.Connection, *, unsure: bool, default: float = 0.0) -> tuple[str, tuple[float, ...]]:
    """Return the condition, in SQL, of rows of photos whose answer is unsure, or is not, with values for parameters.

    default is the threshold of labels that have none.
    """
    thresholds = thresholds_of(db)
    if not thresholds or not isinstance(db, ReadingConnection):
        if default:
            return f"state = 'classified' AND score {'<' if unsure else '>='} ?", (default,)
        return ("0" if unsure else "state = 'classified'"), ()
    db.define_threshold()
    highest = max(default, *thresholds.values())  # what reaches it needs no call of a Python function
    if unsure:
        return "state = 'classified' AND score < ? AND score < coalesce(threshold(label), ?)", (highest, default)
    return "state = 'classified' AND (score >= ? OR score >= coalesce(threshold(label), ?))", (highest, default)
