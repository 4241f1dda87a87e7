"""Looking for damaged rows in a ledger that is in use, and repairing them: a page of rows at a time.

SQLite checks the structure of its pages, and not the values in them. All of it happens inside a transaction of the
ledger's, or reads only.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dogid.ledger.counters import correct_last_seq, count_damage, take_next_seq
from dogid.ledger.damage import is_of_index
from dogid.ledger.result_rows import STATES
from dogid.ledger.row_repair import Columns, is_sha256, repair_row
from dogid.ledger.stored_labels import parse_labels
from dogid.ledger.stored_rows import REPAIRS

_PAGE = 500
_COPIES = (
    ("sha256", "SELECT sha256 FROM review INDEXED BY review_content WHERE +id = ?"),
    ("sha256", "SELECT sha256 FROM photo WHERE id = ?"),
    ("label", "SELECT label FROM review INDEXED BY review_label WHERE label IS NOT NULL AND +id = ?"),
)


@dataclass(frozen=True, slots=True)
class Inspected:
    """A page of rows that was looked at."""

    last_id: int | None
    """Of the page; None where no rows are left."""
    repairs: list[tuple[int, Columns | None]]
    """Damaged rows, by id: as they may stay, or None where they must go."""


class LedgerInspector:
    """Finds and repairs what is damaged in the values of a database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def inspect_page(self, after: int) -> Inspected:
        """Look at the rows of `photo` that follow an id."""
        labels = self._read_labels()
        return self._inspect("photo", after, lambda row: repair_row(row, labels))

    def inspect_table(self, table: str, after: int) -> Inspected:
        """Look at the rows of another table, one of REPAIRS, that follow an id."""
        return self._inspect(table, after, lambda row: REPAIRS[table](row, self._find_copies))

    def _find_copies(self, review: Columns) -> Columns:
        """Return content and label of a damaged review where an index, or its photo, has them still."""
        copies: Columns = {}
        with _decoding_leniently(self._db):
            for column, query in _COPIES:
                found = self._db.execute(query, (review["photo_id"] if "photo" in query else review["id"],)).fetchone()
                if found is not None and (is_sha256(found[0]) if column == "sha256" else isinstance(found[0], str)):
                    copies.setdefault(column, found[0])
        return copies

    def _inspect(self, table: str, after: int, repair: Callable[[Columns], Columns | None]) -> Inspected:
        with _decoding_leniently(self._db):
            query = f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608
            rows = self._db.execute(query, (after, _PAGE)).fetchall()
        repairs: list[tuple[int, Columns | None]] = []
        for row in rows:
            columns: Columns = dict(zip(row.keys()[1:], row[1:], strict=True))
            repaired = repair(columns)
            if repaired != columns:
                repairs.append((row[0], repaired))
        return Inspected(rows[-1][0] if rows else None, repairs)

    def repair(self, repairs: list[tuple[int, Columns | None]]) -> None:
        """Write repaired rows, delete those that cannot be saved, and count both."""
        for photo_id, row in repairs:
            if row is None:
                self._db.execute("DELETE FROM photo WHERE id = ?", (photo_id,))
                continue
            if row["seq"] is None and row["state"] in ("classified", "failed"):
                row["seq"] = take_next_seq(self._db)
            self._write("photo", photo_id, row)
        count_damage(self._db, len(repairs))

    def repair_table(self, table: str, repairs: list[tuple[int, Columns | None]]) -> None:
        """Do the same in another table."""
        for row_id, row in repairs:
            try:
                self._change(table, row_id, row)
            except sqlite3.DatabaseError as error:
                if not is_of_index(error):
                    raise
                # the index has the row as it was before the damage, and so SQLite does not find it there
                self._db.execute(f"REINDEX {table}")
                self._change(table, row_id, row)
        count_damage(self._db, len(repairs))

    def _change(self, table: str, row_id: int, row: Columns | None) -> None:
        if row is None:
            self._db.execute(f"DELETE FROM {table} WHERE rowid = ?", (row_id,))  # noqa: S608
        else:
            self._write(table, row_id, row)

    def _write(self, table: str, row_id: int, row: Columns) -> None:
        columns = ", ".join(f"{name} = ?" for name in row)
        self._db.execute(f"UPDATE {table} SET {columns} WHERE rowid = ?", (*row.values(), row_id))  # noqa: S608

    def repair_everything(self) -> int:
        """Repair all rows of all tables at once; return how many were damaged."""
        repaired, after = 0, 0
        while (inspected := self.inspect_page(after)).last_id is not None:
            if inspected.repairs:
                self.repair(inspected.repairs)
            repaired += len(inspected.repairs)
            after = inspected.last_id
        for table in REPAIRS:
            after = 0
            while (inspected := self.inspect_table(table, after)).last_id is not None:
                if inspected.repairs:
                    self.repair_table(table, inspected.repairs)
                repaired += len(inspected.repairs)
                after = inspected.last_id
        return repaired + self.repair_other_tables()

    def repair_other_tables(self) -> int:
        """Repair models, counts and the number of the last result; return how many rows were damaged."""
        return self._repair_models() + self._repair_numbers()

    def _read_labels(self) -> dict[int, frozenset[str]]:
        with _decoding_leniently(self._db):
            rows = self._db.execute("SELECT id, labels FROM model").fetchall()
        known = ((model_id, parse_labels(text)) for model_id, text in rows)
        return {model_id: frozenset(labels) for model_id, labels in known if labels is not None}

    def _repair_models(self) -> int:
        with _decoding_leniently(self._db):
            rows = self._db.execute("SELECT id, name, sha256, labels FROM model").fetchall()
        damaged = 0
        for model_id, name, sha256, labels in rows:
            if isinstance(name, str) and isinstance(sha256, str) and parse_labels(labels) is not None:
                continue
            # the running daemon enters its own model once more; results keep what is left of their model's name
            sound_labels = labels if parse_labels(labels) is not None else "[]"
            query = "UPDATE model SET name = ?, sha256 = ?, labels = ? WHERE id = ?"
            self._db.execute(query, (_shown(name), f"damaged {model_id}", sound_labels, model_id))
            damaged += 1
        return damaged

    def _repair_numbers(self) -> int:
        """Count the rows of each state anew, and let sequence numbers go on after the last."""
        # of the table itself: an index may be what is damaged
        sums = [f"total(state = '{state}')" for state in STATES]
        sums.append("total(state = 'classified' AND absent_at IS NOT NULL)")
        found = self._db.execute(f"SELECT {', '.join(sums)} FROM photo NOT INDEXED").fetchone()  # noqa: S608
        counts = dict(zip((*STATES, "absent"), map(int, found), strict=True))
        with _decoding_leniently(self._db):
            noted = dict(self._db.execute("SELECT state, rows FROM tally").fetchall())
        if noted != counts:
            self._db.execute("DELETE FROM tally")
            self._db.executemany("INSERT INTO tally VALUES (?, ?)", counts.items())
        correct_last_seq(self._db)
        return int(noted != counts)


def _shown(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


@contextlib.contextmanager
def _decoding_leniently(db: sqlite3.Connection) -> Iterator[None]:
    """Let a connection return a text that is not UTF-8 as bytes while the context lasts, instead of an error."""
    before, db.text_factory = db.text_factory, _decode
    try:
        yield
    finally:
        db.text_factory = before


def _decode(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
