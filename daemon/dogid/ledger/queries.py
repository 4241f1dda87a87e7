"""Reads results and counts from the ledger. Nothing here writes."""

import heapq
import itertools
import json
import operator
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

from dogid.clock import iso_utc, parse_moment
from dogid.file_names import possible_names, shown_name
from dogid.ledger.damage import DamagedRowError, is_undecodable
from dogid.ledger.reading_connection import ReadingConnection
from dogid.ledger.stored_labels import find_similar_labels, parse_labels
from dogid.ledger.thresholds import thresholds_of, unsure_condition
from dogid.ledger.verdicts import VERDICTS
from dogid.result_document import Result, result_document

STATUSES = ("pending", "classified", "failed")

_GIVEN_LABELS = """SELECT DISTINCT label FROM review WHERE typeof(label) = 'text'
    AND id = (SELECT max(id) FROM review AS word WHERE word.sha256 = review.sha256)"""
_NO_THRESHOLDS: Mapping[str, float] = {}
_NAMED_LABELS = 20  # more make an error message unreadable

MAX_ID = (1 << 63) - 1
"""The largest id or sequence number: SQLite's largest integer."""

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
FIRST_FOLDER = "substr(path, 1, instr(path, x'2f'))"
"""A photo's first folder with its slash, in SQL. The index photo_folder has it, of rows that match HAS_FOLDER."""
HAS_FOLDER = "instr(path, x'2f') > 0"
NO_STANDING = """coalesce((SELECT verdict FROM review WHERE review.sha256 = photo.sha256
    ORDER BY review.id DESC LIMIT 1), 'withdrawn') = 'withdrawn'"""
"""Condition, in SQL, of a row of an unreviewed photo."""
RESULTS_SINCE = "seq > ? AND state != 'superseded' ORDER BY seq"
"""Condition and order, in SQL, of the rows of current results that came after a sequence number."""
ALL_RESULTS_SINCE = "seq > ? ORDER BY seq"
"""The same with those that a newer version of their file has superseded."""
_IS_REVIEWED = """photo.id IN (SELECT copy.id FROM review CROSS JOIN photo AS copy
    ON substr(copy.sha256, 1, 16) = substr(review.sha256, 1, 16) AND copy.sha256 = review.sha256
    WHERE verdict != 'withdrawn' AND {}
    AND review.id = (SELECT max(word.id) FROM review AS word WHERE word.sha256 = review.sha256))"""
_IS_OTHERWISE_LABELLED = f"{_IS_REVIEWED.format('review.label = ?')} AND NOT (state = 'classified' AND label = ?)"
_decoded = json.JSONDecoder().raw_decode  # a page has fifty of these, and json.loads looks at its options each time


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which current results are wanted."""

    limit: int = 50
    before: int | None = None
    """Only results with a smaller id."""
    from_id: int | None = None
    """Only results with this id, or a larger one."""
    label: str | None = None
    """Only results that have this label by the model, or by a person's word that stands."""
    status: str | None = None
    present: bool | None = None
    """Only results of files that are in the inbox, or only of those that are not; None for both."""
    reviewed: str | None = None
    """Only results on which a person's word stands, `true`, or does not, `false`; or the verdict of one that stands."""
    since_ms: int | None = None
    """Only photos that were answered at that time or later, in milliseconds since 1970."""
    until_ms: int | None = None
    """Only photos that were answered before that time."""
    min_score: float | None = None
    """Only classified photos with at least this score, 0 to 1."""
    max_score: float | None = None
    """Only classified photos with at most this score."""
    folder: str | None = None
    """Only photos in this folder, as people see its name, and in those below it."""
    after: int | None = None
    """Only results with a larger id; they come in the order of their ids then, the oldest first."""
    unsure: bool | None = None
    """Only answers that are unsure, or only those that are not, by the connection's thresholds. No index finds them:
    `bounded_search` does, within the time of a request."""


def list_results(db: sqlite3.Connection, wanted: ResultFilter) -> list[Result]:
    """Return current results, newest first."""
    return list(iterate_results(db, wanted))


def iterate_results(db: sqlite3.Connection, wanted: ResultFilter) -> Iterator[Result]:
    """Yield current results, newest first."""
    if wanted.label is None:
        return _iterate_matching(db, wanted, (), ())
    by_person = _iterate_matching(db, wanted, (_IS_OTHERWISE_LABELLED,), (wanted.label, wanted.label))
    if wanted.status not in (None, "classified"):
        return by_person  # only classified ones have a model's label; SQLite would look at every photo that has it
    by_model = _iterate_matching(db, wanted, ("state = 'classified' AND label = ?",), (wanted.label,))
    # each in the order of its own index: with both conditions in one query, all that match would be sorted
    merged = heapq.merge(by_model, by_person, key=operator.itemgetter("id"), reverse=wanted.after is None)
    return itertools.islice(merged, wanted.limit)


def _iterate_matching(
    db: sqlite3.Connection, wanted: ResultFilter, others: Sequence[str], values_of_others: Sequence[object]
) -> Iterator[Result]:
    """Yield the results that match a filter, but for its label, and other conditions in SQL."""
    conditions, values = ["state != 'superseded'", *others], list(values_of_others)
    if wanted.status is not None:
        conditions.append("state = ?")
        values.append(wanted.status)
    if wanted.present is not None:
        conditions.append(f"absent_at IS {'NULL' if wanted.present else 'NOT NULL'}")
    if wanted.reviewed == "false":
        conditions.append(NO_STANDING)
    elif wanted.reviewed is not None:
        conditions.append(_IS_REVIEWED.format("? IN ('true', verdict)"))
        values.append(wanted.reviewed)
    if wanted.unsure is not None:
        condition, parameters = unsure_condition(db, unsure=wanted.unsure)
        conditions.append(condition)
        values += parameters
    for condition, value in (
        ("photo.id < ?", wanted.before),
        ("photo.id >= ?", wanted.from_id),
        ("photo.id > ?", wanted.after),
        ("classified_at >= ?", wanted.since_ms),
        ("classified_at < ?", wanted.until_ms),
        ("state = 'classified' AND score >= ?", wanted.min_score),
        ("state = 'classified' AND score <= ?", wanted.max_score),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if wanted.folder:
        names = [name.strip(b"/") + b"/" for name in possible_names(wanted.folder)]
        if len(names) == 1 and names[0].count(b"/") == 1:
            conditions.append(f"{HAS_FOLDER} AND {FIRST_FOLDER} = ?")
            values.append(names[0])
        else:
            conditions.append(f"({' OR '.join(['substr(path, 1, ?) = ?'] * len(names))})")
            values += [value for name in names for value in (len(name), name)]
    rest = f"{' AND '.join(conditions)} ORDER BY photo.id {'DESC' if wanted.after is None else ''}"
    return (result for _, result in iterate_rows(db, rest, values, wanted.limit))


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


def list_results_with_seq(db: sqlite3.Connection, wanted: ResultFilter) -> tuple[list[Result], int]:
    """Return current results, newest first, and the sequence number to follow them from, of one state of the ledger."""
    db.execute("BEGIN")  # else a result that comes between the two queries would be in both
    try:
        return list_results(db, wanted), read_newest_seq(db)
    finally:
        db.execute("COMMIT")


def find_newest_review(db: sqlite3.Connection) -> tuple[int, int] | None:
    """Return the number of the newest review and its time, in milliseconds since 1970; None where there is none."""
    row = db.execute("SELECT id, at FROM review ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else (row["id"], row["at"])


def has_due_photos(db: sqlite3.Connection) -> bool:
    """Return whether a photo is pending that does not wait for its next attempt."""
    return db.execute("SELECT 1 FROM photo WHERE state = 'pending' AND due = 0 LIMIT 1").fetchone() is not None


def is_classified(db: sqlite3.Connection, path: bytes) -> bool:
    """Return whether the photo at a path relative to the inbox has a label."""
    row = db.execute("SELECT 1 FROM photo WHERE path = ? AND state = 'classified'", (path,)).fetchone()
    return row is not None


def list_results_since(db: sqlite3.Connection, seq: int, limit: int) -> list[tuple[int, Result]]:
    """Return (sequence number, result) of what was answered after seq, oldest first: how followers keep up."""
    found = iterate_rows(db, RESULTS_SINCE, (seq,), limit)
    return [(row["seq"], result) for row, result in found]


def read_newest_seq(db: sqlite3.Connection) -> int:
    """Return the sequence number of the newest answer; 0 where there is none."""
    row = db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()
    if row is None:
        raise DamagedRowError("the number of the newest result is damaged")
    return int(row[0])


def find_result(db: sqlite3.Connection, photo_id: int) -> Result | None:
    """Return the result with this id, also a superseded one; None if there is none, or it is damaged."""
    found = read_row(db, photo_id)
    return None if found is None else found[1]


def is_superseded(db: sqlite3.Connection, photo_id: int) -> bool:
    """Whether a newer result has taken the place of the result with this id."""
    row = db.execute("SELECT state FROM photo WHERE id = ?", (photo_id,)).fetchone()
    return row is not None and row[0] == "superseded"


def find_photo(db: sqlite3.Connection, shown: str) -> int | None:
    """Given a photo's name as people see it, return the id of its current row, or None."""
    for name in possible_names(shown):
        row = db.execute("SELECT id FROM photo WHERE path = ? AND state != 'superseded'", (name,)).fetchone()
        if row is not None:
            return int(row["id"])
    return None


def count_by_status(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many photos are in each state."""
    rows = _read_tally(db)
    return {status: rows[status] for status in STATUSES}


def count_present_by_status(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many photos are in each state whose files are in the inbox."""
    rows = _read_tally(db)
    return {status: rows[status] - (rows["absent"] if status == "classified" else 0) for status in STATUSES}


def _read_tally(db: sqlite3.Connection) -> dict[str, int]:
    rows = dict(db.execute("SELECT state, rows FROM tally").fetchall())
    if not rows.keys() >= {*STATUSES, "absent"}:
        raise DamagedRowError("the counts of the ledger are damaged")
    return rows


def list_known_labels(db: sqlite3.Connection) -> list[str]:
    """Return the labels of all models that the ledger knows and those by people that stand, in alphabetical order."""
    models = db.execute("SELECT labels FROM model")
    known = {label for (labels,) in models for label in parse_labels(labels) or ()}
    return sorted(known.union(label for (label,) in db.execute(_GIVEN_LABELS)))


def explain_unknown_label(db: sqlite3.Connection, label: str) -> str | None:
    """Return an error message that names the labels there are, the most similar first; None where label is one."""
    known = list_known_labels(db)
    if label in known:
        return None
    similar = find_similar_labels(label, known, 3)
    named = [*similar, *(other for other in known if other not in similar)]
    more = f" and {len(named) - _NAMED_LABELS} others" if len(named) > _NAMED_LABELS else ""
    return f"there is no label {label!r}; labels are {', '.join(named[:_NAMED_LABELS]) or 'none yet'}{more}"


def find_renamed(db: sqlite3.Connection, shown: str) -> int | None:
    """Given the former name of a photo, return the id of its current row, or None."""
    prefix = f"from {shown} to "
    row = db.execute(
        "SELECT photo.id, state, history_id FROM event JOIN photo ON photo.id = photo_id"
        " WHERE kind = 'renamed' AND substr(detail, 1, ?) = ? ORDER BY event.id DESC LIMIT 1",
        (len(prefix), prefix),
    ).fetchone()
    if row is None or row["state"] != "superseded":
        return None if row is None else int(row["id"])
    current = "SELECT id FROM photo WHERE history_id = ? AND state != 'superseded'"
    found = db.execute(current, (row["history_id"],)).fetchone()
    return None if found is None else int(found["id"])


def as_result(row: sqlite3.Row, thresholds: Mapping[str, float] = _NO_THRESHOLDS) -> Result:
    """Return a row of RESULT_QUERY as RESULT, unsure by thresholds (scores by label).

    Raise DamagedRowError where it has values that no dogid writes.
    """
    if (types := tuple(map(type, row))) not in _sound_types:
        _check_types(types)
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
    if not is_sound or state not in _STATES:
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


_STATES = frozenset({*STATUSES, "superseded"})
_TYPES: tuple[set[type], ...] = (
    {int}, {bytes}, {str}, {str, NoneType}, {float, NoneType}, {str, NoneType}, {str, NoneType}, {int, NoneType},
    {int, NoneType}, {int}, {int, NoneType}, {str, NoneType}, {float, NoneType}, {float, NoneType}, {float, NoneType},
    {str, NoneType}, {str, NoneType}, {int, NoneType}, {str, NoneType}, {str, NoneType}, {int}, {int}, {int, NoneType},
    {int, NoneType},
)  # fmt: skip
"""Of the columns of RESULT_QUERY: damage can make any type of any other."""
_sound_types: set[tuple[type, ...]] = set()  # that were checked: a ledger has a handful


def _check_types(types: tuple[type, ...]) -> None:
    if any(found not in allowed for found, allowed in zip(types, _TYPES, strict=True)):
        raise DamagedRowError("a row has a value of another type")
    _sound_types.add(types)


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
