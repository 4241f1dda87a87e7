"""Taking over what a damaged ledger still holds into a new one: the results of photos that have left are nowhere else.

Each row that can be read goes over under its id, repaired where that is possible. Photos whose rows are lost are found
again in the inbox, as if they were new.
"""

import contextlib
import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dogid.ledger.counters import FIRST_IMPORTED_SEQ, LARGEST_SEQ, LAST_IMPORTED_SEQ
from dogid.ledger.page_reader import USUAL_PAGE_SIZE, DatabaseFile, Row
from dogid.ledger.row_repair import Columns, Value, repair_row
from dogid.ledger.stored_labels import parse_labels
from dogid.ledger.stored_rows import repair_embedding, repair_review

log = logging.getLogger(__name__)

_LOST_IDS = 100_000  # left out where it is lost which ids were given: fewer might give one to a second photo
_MOST_ID = 1 << 62  # larger ones are damaged
_LEAST_PHOTO_COLUMNS = 20
_REVIEW_COLUMNS = ("id", "sha256", "photo_id", "path", "verdict", "label", "reviewer", "at", "model_id", "model_label",
    "model_score")  # fmt: skip
_EMBEDDING_COLUMNS = {
    "recent_embedding": ("photo_id", "network", "data"),
    "reviewed_embedding": ("id", "sha256", "network", "data", "at"),
}
_INSERT_EVENT = """INSERT OR IGNORE INTO event (id, photo_id, at, kind, detail) SELECT ?1, ?2, ?3, ?4, ?5
    WHERE EXISTS (SELECT 1 FROM photo WHERE id = ?2)"""
_CLEAR_LINKS = """UPDATE photo SET superseded_by = NULL WHERE superseded_by IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM photo AS next WHERE next.id = photo.superseded_by)"""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was taken over from a damaged ledger."""

    results: int
    """Current results, of photos that are in the inbox and of those that have left it."""
    lost: int
    """Rows that were found and could not be saved, and places where rows must have been."""


@dataclass(slots=True)
class LastNumbers:
    """The largest numbers that a ledger has given; None where its own note of them is lost."""

    id: int | None = None
    reserved: int | None = None
    """The largest id that it may have given."""
    seq: int | None = None


def salvage(damaged: Path, db: sqlite3.Connection) -> Salvaged:
    """Fill a new ledger, opened for writing, with what the database file `damaged` holds, in one transaction.

    Raise sqlite3.OperationalError where there is no room; nothing is written then.
    """
    db.execute("PRAGMA foreign_keys = OFF")  # rows come in any order; what they refer to is checked at the end
    try:
        with DatabaseFile(damaged, USUAL_PAGE_SIZE) as file:
            db.execute("BEGIN IMMEDIATE")
            try:
                result = _Writer(db).write(file)
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            return result
    finally:
        db.execute("PRAGMA foreign_keys = ON")


def find_last_numbers(path: Path) -> LastNumbers:
    """Return the largest numbers that the ledger at path may have given. Raise OSError."""
    with DatabaseFile(path, USUAL_PAGE_SIZE) as file:
        return _read_last_numbers(file)


def _read_last_numbers(file: DatabaseFile) -> LastNumbers:
    last = LastNumbers()
    for row in file.read_rows("sqlite_sequence", "counter", None):
        match row.values:
            case ["photo", int(number)] if row.id and 0 <= number < _MOST_ID:
                last.id = max(number, last.id or 0)
            case ["reserved", int(number)] if not row.id and 0 <= number < _MOST_ID:
                last.reserved = max(number, last.reserved or 0)
            case ["seq", int(number)] if not row.id and 0 <= number < _MOST_ID:
                last.seq = max(number, last.seq or 0)
    return last


class _Writer:
    """Writes what a damaged file holds into a new ledger."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._columns = [str(row[1]) for row in db.execute("PRAGMA table_info(photo)")]
        self._insert_photo = (
            f"INSERT INTO photo ({','.join(self._columns)}) VALUES ({','.join('?' * len(self._columns))})"  # noqa: S608
        )
        self._labels: dict[int, frozenset[str]] = {}
        self._lost = 0

    def write(self, file: DatabaseFile) -> Salvaged:
        """Write all tables; return what there was. Pages whose table is lost come last: a known one is newer."""
        last = _read_last_numbers(file)
        for tables in (("model",), (None,)):
            for row in file.read_rows(*tables):
                self._write_model(row)
        for tables in (("photo",), (None,)):
            for row in file.read_rows(*tables):
                self._try_photo(row)
        for tables in (("event",), (None,)):
            for row in file.read_rows(*tables):
                match row.values:
                    case [None, int(), int(), str(), str()]:
                        self._db.execute(_INSERT_EVENT, (row.id, *row.values[1:]))
        for tables in (("review",), (None,)):
            for row in file.read_rows(*tables):
                self._try_review(row)
        for row in file.read_rows("recent_embedding"):
            self._try_embedding("recent_embedding", row)
        for tables in (("reviewed_embedding",), (None,)):
            for row in file.read_rows(*tables):
                self._try_embedding("reviewed_embedding", row)
        self._db.execute(_CLEAR_LINKS)
        self._write_numbers(last)
        query = "SELECT sum(rows) FROM tally WHERE state IN ('classified', 'failed')"
        return Salvaged(int(self._db.execute(query).fetchone()[0]), self._lost + file.unreadable)

    def _write_model(self, row: Row) -> None:
        match row.values:
            case [None, str(name), str(sha256), str(text)] if 0 < row.id < _MOST_ID:
                labels = parse_labels(text)
                if labels is not None and row.id not in self._labels:
                    query = "INSERT OR IGNORE INTO model (id, name, sha256, labels) VALUES (?, ?, ?, ?)"
                    self._db.execute(query, (row.id, name, sha256, text))
                    self._labels[row.id] = frozenset(labels)

    def _try_photo(self, found: Row) -> None:
        """Write a photo's row; one that the new ledger does not take is lost, and no other with it."""
        self._db.execute("SAVEPOINT photo")
        try:
            self._write_photo(found)
        except (sqlite3.OperationalError, MemoryError):
            raise  # no room
        except (sqlite3.Error, ValueError, TypeError, ArithmeticError, RecursionError):
            log.warning("row %d of the damaged ledger cannot be saved", found.id, exc_info=True)
            self._db.execute("ROLLBACK TO photo")
            self._lost += found.table is not None
        self._db.execute("RELEASE photo")

    def _write_photo(self, found: Row) -> None:
        values = found.values
        if not _LEAST_PHOTO_COLUMNS <= len(values) <= len(self._columns) or not 0 < found.id < _MOST_ID:
            return
        missing: list[Value] = [None] * (len(self._columns) - len(values))  # added by a later version of the schema
        row = repair_row(dict(zip(self._columns, [found.id, *values[1:], *missing], strict=True)), self._labels)
        if row is None:
            self._lost += found.table is not None
            return
        if self._has("id = ?", found.id):
            return  # this is a former copy
        if row["model_id"] not in self._labels:
            row["model_id"] = None
        if row["state"] != "superseded":
            self._make_room(row)
        seq = row["seq"]
        is_answered = row["state"] in ("classified", "failed")
        is_number = (
            isinstance(seq, int)
            and (0 < seq < _MOST_ID or FIRST_IMPORTED_SEQ < seq < LAST_IMPORTED_SEQ)
            and not self._has("seq = ?", seq)
        )
        if not is_number:
            row["seq"] = -found.id if is_answered else None  # gets a number when the last one is known
        self._db.execute(self._insert_photo, tuple(row.values()))

    def _try_review(self, found: Row) -> None:
        """Write a review; one whose table is lost is known by its columns."""
        if len(found.values) != len(_REVIEW_COLUMNS) or found.values[0] is not None or not 0 < found.id < _MOST_ID:
            self._lost += found.table is not None
            return
        row = repair_review(dict(zip(_REVIEW_COLUMNS, [found.id, *found.values[1:]], strict=True)), self._find_content)
        if row is None:
            self._lost += found.table is not None
            return
        if row["model_id"] not in self._labels:
            row["model_id"] = None
        self._insert("review", row)

    def _find_content(self, review: Columns) -> Columns:
        found = self._db.execute("SELECT sha256 FROM photo WHERE id = ?", (review["photo_id"],)).fetchone()
        return {} if found is None or found[0] is None else {"sha256": found[0]}

    def _try_embedding(self, table: str, found: Row) -> None:
        """Write an embedding; one of a reviewed content, whose photo may be gone, is known by its columns."""
        names = _EMBEDDING_COLUMNS[table]
        if len(found.values) != len(names) or not 0 < found.id < _MOST_ID:
            return
        row = repair_embedding(dict(zip(names, [found.id, *found.values[1:]], strict=True)))
        if row is not None and (table != "recent_embedding" or self._has("id = ?", found.id)):
            self._insert(table, row)

    def _insert(self, table: str, row: Columns) -> None:
        marks = ",".join("?" * len(row))
        self._db.execute(f"INSERT OR IGNORE INTO {table} ({','.join(row)}) VALUES ({marks})", tuple(row.values()))  # noqa: S608

    def _make_room(self, row: Columns) -> None:
        """Let the newer of two current rows for one path be the current one: a page's former copy brings two."""
        query = "SELECT id FROM photo WHERE path = ? AND state != 'superseded'"
        for (other,) in self._db.execute(query, (row["path"],)).fetchall():
            if other > row["id"]:
                row["state"] = "superseded"
            else:
                self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (other,))

    def _has(self, condition: str, value: Value) -> bool:
        return self._db.execute(f"SELECT 1 FROM photo WHERE {condition}", (value,)).fetchone() is not None  # noqa: S608

    def _write_numbers(self, last: LastNumbers) -> None:
        """Go on with ids and sequence numbers where the damaged ledger ended: none is given twice."""
        (largest,) = self._db.execute("SELECT coalesce(max(id), 0) FROM photo").fetchone()
        is_certain = last.id is not None and last.reserved is not None
        last_id = max(largest, last.id or 0, last.reserved or 0) + (0 if is_certain else _LOST_IDS)
        (seq,) = self._db.execute(LARGEST_SEQ).fetchone()
        seq = max(seq, 0, last.seq or 0) + (0 if last.seq is not None else _LOST_IDS)
        for (photo_id,) in self._db.execute(
            "SELECT id FROM photo WHERE seq < 0 AND seq > ?", (LAST_IMPORTED_SEQ,)
        ).fetchall():
            seq += 1
            self._db.execute("UPDATE photo SET seq = ? WHERE id = ?", (seq, photo_id))
        self._db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'photo'", (last_id,))
        self._db.execute("UPDATE counter SET value = ? WHERE name = 'reserved'", (last_id,))
        self._db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (seq,))
