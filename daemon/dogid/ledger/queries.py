"""Finds results, and counts them, in the ledger. Nothing here writes."""

import heapq
import itertools
import operator
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dogid.file_names import possible_names
from dogid.ledger.damage import DamagedRowError
from dogid.ledger.result_rows import STATUSES, iterate_rows, read_row
from dogid.ledger.thresholds import unsure_condition
from dogid.result_document import Result

_CLASSIFIED = "state = 'classified'"

MAX_ID = (1 << 63) - 1
"""The largest id or sequence number: SQLite's largest integer."""

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
_SAID_UNSURE = "+" + _IS_REVIEWED.format("verdict = 'unsure'")  # `+`: rows are looked at in the order of their ids
_IS_OTHERWISE_LABELLED = f"{_IS_REVIEWED.format('review.label = ?')} AND NOT (state = 'classified' AND label = ?)"


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
    """Only photos of which the model, by the connection's thresholds, or a person is unsure, or only the other answers.
    No index finds them: `bounded_search` does, within the time of a request."""
    default_threshold: float = 0.0
    """Of labels that have no threshold, for `unsure`."""
    name: str | None = None
    """Only photos whose path contains this, in capitals or not where it is ASCII. No index finds them, either."""


def list_results(db: sqlite3.Connection, wanted: ResultFilter) -> list[Result]:
    """Return current results, newest first."""
    return list(iterate_results(db, wanted))


def iterate_results(db: sqlite3.Connection, wanted: ResultFilter) -> Iterator[Result]:
    """Yield current results, newest first."""
    order = f"ORDER BY photo.id {'DESC' if wanted.after is None else ''}"
    found = [
        (result for _, result in iterate_rows(db, f"{condition} {order}", values, wanted.limit))
        for condition, values in conditions_of(db, wanted)
    ]
    if len(found) == 1:
        return found[0]
    # each in the order of its own index: with both conditions in one query, all that match would be sorted
    merged = heapq.merge(*found, key=operator.itemgetter("id"), reverse=wanted.after is None)
    return itertools.islice(merged, wanted.limit)


def conditions_of(db: sqlite3.Connection, wanted: ResultFilter) -> list[tuple[str, list[object]]]:
    """Return the conditions, in SQL, of rows of photos that match a filter, each with values for its parameters.

    Where there are two, for a label by the model and one by people, no row matches both.
    """
    if wanted.label is None:
        return [_condition_of(db, wanted, (), ())]
    by_person = _condition_of(db, wanted, (_IS_OTHERWISE_LABELLED,), (wanted.label, wanted.label))
    if wanted.status not in (None, "classified"):
        return [by_person]  # only classified ones have a model's label; SQLite would look at every photo that has it
    return [_condition_of(db, wanted, (f"{_CLASSIFIED} AND label = ?",), (wanted.label,)), by_person]


def _condition_of(
    db: sqlite3.Connection, wanted: ResultFilter, others: Sequence[str], values_of_others: Sequence[object]
) -> tuple[str, list[object]]:
    """Return the condition of a filter, but for its label, and other conditions in SQL."""
    is_classified = any(other.startswith(_CLASSIFIED) for other in others)
    # else SQLite would look at the rows where an index has all that is asked for
    conditions = [*([] if is_classified and not wanted.folder else ["state != 'superseded'"]), *others]
    values = list(values_of_others)
    if wanted.status is not None and not is_classified:
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
        condition, parameters = unsure_condition(db, unsure=wanted.unsure, default=wanted.default_threshold)
        conditions.append(f"(({condition}) {f'OR {_SAID_UNSURE}' if wanted.unsure else f'AND NOT ({_SAID_UNSURE})'})")
        values += parameters
    for condition, value in (
        ("photo.id < ?", wanted.before),
        ("photo.id >= ?", wanted.from_id),
        ("photo.id > ?", wanted.after),
        ("classified_at >= ?", wanted.since_ms),
        ("classified_at < ?", wanted.until_ms),
        ("state = 'classified' AND score >= ?", wanted.min_score),
        ("state = 'classified' AND score <= ?", wanted.max_score),
        ("CAST(path AS TEXT) LIKE ? ESCAPE '!'", wanted.name and _as_pattern(wanted.name)),
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
    return " AND ".join(conditions), values


def _as_pattern(name: str) -> str:
    """Return the pattern of LIKE for texts that contain a part of a file's name."""
    return "%" + re.sub("([!%_])", r"!\1", name) + "%"


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


def has_due_photos(db: sqlite3.Connection, most: int = 0) -> bool:
    """Return whether more than so many photos are pending that do not wait for their next attempt."""
    query = "SELECT 1 FROM photo WHERE state = 'pending' AND due = 0 LIMIT 1 OFFSET ?"
    return db.execute(query, (most,)).fetchone() is not None


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
