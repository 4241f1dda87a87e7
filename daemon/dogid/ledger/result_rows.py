"""How rows of the ledger become RESULTs, and how damaged ones are passed over. Nothing here writes."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import Any

from dogid.clock import iso_utc, parse_moment
from dogid.file_names import shown_name
from dogid.ledger.column_types import ColumnTypes
from dogid.ledger.damage import DamagedRowError, is_undecodable
from dogid.ledger.reading_connection import ReadingConnection
from dogid.ledger.thresholds import thresholds_of
from dogid.ledger.verdicts import VERDICTS
from dogid.result_document import Result, result_document

STATUSES = ("pending", "classified", "failed")
"""Of current results."""
STATES = (*STATUSES, "superseded")
"""Of photos in the ledger; the last: another version has taken its place."""
_NO_THRESHOLDS: Mapping[str, float] = {}

RESULT_QUERY = """SELECT photo.id, path, state, label, score, scores, photo.sha256, width, height, mtime_ns,
    classified_at, model.name AS model_name, decode_ms, invoke_ms, total_ms, error_code, error_message,
    absent_at, (SELECT CASE WHEN typeof(verdict) || typeof(reviewer) || typeof(at) = 'texttextinteger'
            AND typeof(label) IN ('text', 'null') THEN json_array(verdict, label, reviewer, at) ELSE 'damaged' END
        FROM review WHERE review.sha256 = photo.sha256 ORDER BY review.id DESC LIMIT 1) AS word,
    taken_at, size, seen_at, seq, history_id
    FROM photo LEFT JOIN model ON model.id = photo.model_id WHERE {}"""
"""A template: `format` takes the condition. `as_result` reads the rows.

JSON cannot hold blobs, which damage can make of texts: one bit is the difference.
"""
_decoded = json.JSONDecoder().raw_decode  # a page has fifty of these, and json.loads looks at its options each time


def iterate_rows(
    db: sqlite3.Connection, rest: str, values: Sequence[object], limit: int
) -> Iterator[tuple[sqlite3.Row, Result]]:
    """Yield up to limit rows of RESULT_QUERY, each with its RESULT; damaged ones are left out, and noted.

    rest: the condition and the order, in SQL, with values for its parameters.
    """
    seen: set[int] = set()
    thresholds = thresholds_of(db)
    try:
        for row in db.execute(f"{RESULT_QUERY.format(rest)} LIMIT ?", (*values, limit)):
            result = as_result(row, thresholds)
            seen.add(row[0])
            yield row, result
        return
    except sqlite3.DatabaseError as error:
        if not isinstance(error, DamagedRowError) and not is_undecodable(error):
            raise
    left = limit - len(seen)
    for (photo_id,) in db.execute(f"SELECT photo.id FROM photo WHERE {rest}", values):  # noqa: S608
        if left == 0:
            break
        found = None if photo_id in seen else read_row(db, photo_id)
        if found is not None:
            left -= 1
            yield found


def read_row(db: sqlite3.Connection, photo_id: int) -> tuple[sqlite3.Row, Result] | None:
    """Return the row of RESULT_QUERY with an id, with its RESULT; None where there is none, or it is damaged."""
    try:
        row = db.execute(RESULT_QUERY.format("photo.id = ?"), (photo_id,)).fetchone()
        return None if row is None else (row, as_result(row, thresholds_of(db)))
    except sqlite3.DatabaseError as error:
        if not isinstance(error, DamagedRowError) and not is_undecodable(error):
            raise
    if isinstance(db, ReadingConnection):
        db.note_damaged(photo_id)
    return None


def as_result(row: sqlite3.Row, thresholds: Mapping[str, float] = _NO_THRESHOLDS) -> Result:
    """Return a row of RESULT_QUERY as RESULT, unsure by thresholds (scores by label).

    Raise DamagedRowError where it has values that no dogid writes.
    """
    if not _TYPES.are_those_of(row):
        raise DamagedRowError("a row has a value of another type")
    # by position: looking the columns up by name would take longer than all the rest
    (number, path, state, label, score, scores, sha256, width, height, mtime_ns, classified_at,
     model, decode_ms, invoke_ms, total_ms, error_code, error_message, absent_at, word, taken_at, *_) = row  # fmt: skip
    try:
        reviewed = None if word is None else _describe_word(word)
        probabilities = _decoded(scores, 0)[0] if scores else {}
        taken_ms = None if taken_at is None else parse_moment(taken_at)
        is_sound = label is None or probabilities[label] == score
    except (ValueError, LookupError, TypeError, ArithmeticError, OSError, RecursionError):
        is_sound = False
    if not is_sound or state not in STATES:
        raise DamagedRowError(f"the row of result {number} is damaged")
    return result_document(
        number=number,
        file=shown_name(path),
        status=state if state != "superseded" else _former_status(label, classified_at),
        scores=probabilities,
        sha256=sha256 if label is not None else None,  # a failed photo's is not part of the result
        width=width,
        height=height,
        modified_ms=mtime_ns // 1_000_000,
        taken_ms=taken_ms,
        classified_ms=classified_at,
        model=model,
        decode_ms=decode_ms,
        invoke_ms=invoke_ms,
        total_ms=total_ms,
        error_code=error_code,
        error_message=error_message,
        reviewed=reviewed,
        present=absent_at is None and state != "superseded",
        thresholds=thresholds,
    )


_TYPES = ColumnTypes(
    {int}, {bytes}, {str}, {str, NoneType}, {float, NoneType}, {str, NoneType}, {str, NoneType}, {int, NoneType},
    {int, NoneType}, {int}, {int, NoneType}, {str, NoneType}, {float, NoneType}, {float, NoneType}, {float, NoneType},
    {str, NoneType}, {str, NoneType}, {int, NoneType}, {str, NoneType}, {str, NoneType}, {int}, {int}, {int, NoneType},
    {int, NoneType},
)  # fmt: skip
"""Of the columns of RESULT_QUERY."""


def _describe_word(text: str) -> dict[str, Any] | None:
    """Return the newest review of a content, from its JSON in RESULT_QUERY; None where it takes back the one before."""
    verdict, label, by, at = _decoded(text, 0)[0]
    if verdict not in VERDICTS:
        raise ValueError("damaged")
    return None if verdict == "withdrawn" else {"label": label, "verdict": verdict, "by": by, "at": iso_utc(at)}


def _former_status(label: str | None, classified_at: int | None) -> str:
    if label is not None:
        return "classified"
    return "failed" if classified_at is not None else "pending"
