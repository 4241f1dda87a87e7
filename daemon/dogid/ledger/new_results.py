"""What rules go by of each new result: a few columns, as whole RESULTs would take several times as long to read."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from types import NoneType
from typing import NamedTuple

from dogid.file_names import shown_name
from dogid.ledger.column_types import ColumnTypes
from dogid.ledger.damage import is_undecodable
from dogid.ledger.replays import find_replaced
from dogid.ledger.result_rows import STATES
from dogid.ledger.reviews import list_changes_since
from dogid.ledger.thresholds import thresholds_of
from dogid.result_document import Result

_SINCE = """SELECT seq, id, path, state, label, score, mtime_ns, classified_at FROM photo
    WHERE seq > ? ORDER BY seq LIMIT ?"""
_TYPES = ColumnTypes(
    {int}, {int}, {bytes}, {str}, {str, NoneType}, {float, NoneType}, {int}, {int, NoneType},
)  # fmt: skip


class NewResult(NamedTuple):
    """A photo that was classified, or failed. Times in milliseconds since 1970."""

    seq: int
    result_id: int
    folder: str
    """As people see it; empty for the inbox itself."""
    label: str | None
    """None: it failed."""
    score: float
    unsure: bool
    modified: int
    """When its file was last modified."""
    answered_at: int


class NewResults(NamedTuple):
    """Some of the new results."""

    found: list[NewResult]
    """In their order; those whose columns here are damaged, or that a replay has made of old photos, are left out.

    Of others the rest of the row can be damaged: such a result is never sent, and is counted as missed.
    """
    last_seq: int | None
    """Of the last change that was read; None where there was none."""
    is_full: bool
    """Whether there may be more."""


def list_new_results_since(db: sqlite3.Connection, seq: int, limit: int) -> NewResults:
    """Return what came after a sequence number, oldest first: of up to limit changes."""
    try:
        rows = db.execute(_SINCE, (seq, limit)).fetchall()
    except sqlite3.DatabaseError as error:
        if not is_undecodable(error):
            raise
        return _list_around_damage(db, seq, limit)
    if not all(map(_TYPES.are_those_of, rows)):
        return _list_around_damage(db, seq, limit)
    thresholds = thresholds_of(db)
    found = [each for row in rows if (each := _as_new_result(row, thresholds)) is not None]
    last = rows[-1][0] if rows else None
    return NewResults(_leave_out_replayed(db, found), last, len(rows) == limit)


def _as_new_result(row: sqlite3.Row, thresholds: Mapping[str, float]) -> NewResult | None:
    seq, number, path, state, label, score, mtime_ns, classified_at = row
    is_answered = label is not None or classified_at is not None
    if state == "pending" or not is_answered or state not in STATES or (label is None) is not (score is None):
        return None
    unsure = label is not None and score < thresholds.get(label, 0.0)
    folder = shown_name(path).rpartition("/")[0]
    return NewResult(seq, number, folder, label, score or 0.0, unsure, mtime_ns // 1_000_000, classified_at or 0)


def _list_around_damage(db: sqlite3.Connection, seq: int, limit: int) -> NewResults:
    """Do the same by the slow way, which knows damaged rows."""
    changes = list_changes_since(db, seq, limit, with_superseded=True)
    found = [
        new
        for change in changes
        if change.kind == "result" and change.result is not None
        if (new := _describe(change.seq, change.result, change.at_ms)) is not None
    ]
    last = changes[-1].seq if changes else None
    return NewResults(_leave_out_replayed(db, found), last, len(changes) == limit)


def _describe(seq: int, result: Result, at_ms: int) -> NewResult | None:
    if result["status"] not in ("classified", "failed"):
        return None
    modified = round(datetime.fromisoformat(result["modified_at"]).timestamp() * 1000)
    score, unsure = result["score"] or 0.0, bool(result["unsure"])
    return NewResult(seq, result["id"], result["folder"], result["label"], score, unsure, modified, at_ms)


def _leave_out_replayed(db: sqlite3.Connection, found: list[NewResult]) -> list[NewResult]:
    replaced = find_replaced(db, [each.result_id for each in found]) if found else frozenset()
    return [each for each in found if each.result_id not in replaced] if replaced else found
