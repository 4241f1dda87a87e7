"""Which files are in the inbox, as far as the ledger knows. Of those that left, results stay; what has none goes.

`PresenceWriter` writes inside a transaction of the ledger's; `AbsenceCheck` only looks into the inbox.
"""

import os
import sqlite3
from pathlib import Path

from dogid.clock import Clock
from dogid.ledger.schema import note

LEFT = "the file has left the inbox"


class AbsenceCheck:
    """Looks into the inbox's folders, each once. A folder that is empty now may be a disk that is not mounted."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = os.fsencode(inbox)
        self._is_empty: dict[bytes, bool] = {}

    def is_missing(self, path: bytes) -> bool:
        """Return whether there is no file at a path relative to the inbox, for whatever reason."""
        try:
            os.lstat(os.path.join(self._inbox, path))
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False

    def has_left(self, path: bytes) -> bool:
        """Return whether the file at a path relative to the inbox is surely no longer there."""
        return self.is_missing(path) and not self._nearest_is_empty(os.path.dirname(path))

    def _nearest_is_empty(self, folder: bytes) -> bool:
        """Whether the nearest folder that exists, upwards from folder, is empty or cannot be read."""
        if folder not in self._is_empty:
            self._is_empty[folder] = self._look(folder)
        return self._is_empty[folder]

    def _look(self, folder: bytes) -> bool:
        try:
            with os.scandir(os.path.join(self._inbox, folder) if folder else self._inbox) as entries:
                return next(entries, None) is None
        except (FileNotFoundError, NotADirectoryError):
            return not folder or self._nearest_is_empty(os.path.dirname(folder))
        except OSError:
            return True


class PresenceWriter:
    """Notes in the database which files have left."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def note_left(self, path: bytes) -> bool:
        """Note that the file at a path relative to the inbox has left it; return whether that was not known."""
        row = self._db.execute(
            "SELECT id, state, history_id FROM photo WHERE path = ? AND state != 'superseded' AND absent_at IS NULL",
            (path,),
        ).fetchone()
        if row is None:
            return False
        if row["state"] == "classified":
            self._mark(row["id"])
        else:
            self._drop(row, path)
        return True

    def _mark(self, photo_id: int) -> None:
        self._db.execute("UPDATE photo SET absent_at = ? WHERE id = ?", (self._clock.wall_ms(), photo_id))
        note(self._db, self._clock, photo_id, "left", LEFT)

    def _drop(self, row: sqlite3.Row, path: bytes) -> None:
        """Delete a photo that has no label, back to its newest former version that has one."""
        former = None
        if row["history_id"] is not None:
            former = self._db.execute(
                "SELECT id FROM photo WHERE history_id = ? AND state = 'superseded' AND label IS NOT NULL"
                " ORDER BY id DESC LIMIT 1",
                (row["history_id"],),
            ).fetchone()
        if former is None:
            self._db.execute(
                "DELETE FROM photo WHERE id = ? OR (history_id = ? AND state = 'superseded')",
                (row["id"], row["history_id"]),
            )
            return
        self._db.execute(
            "DELETE FROM photo WHERE id = ? OR (history_id = ? AND state = 'superseded' AND id > ?)",
            (row["id"], row["history_id"], former["id"]),
        )
        self._db.execute(
            "UPDATE photo SET state = 'classified', superseded_by = NULL, path = ? WHERE id = ?", (path, former["id"])
        )
        self._mark(former["id"])


def count_present(db: sqlite3.Connection) -> int:
    """Return how many photos are in the inbox."""
    rows = dict(db.execute("SELECT state, rows FROM tally").fetchall())
    return int(rows["pending"] + rows["classified"] + rows["failed"] - rows["absent"])


def present_paths(db: sqlite3.Connection, after: bytes, count: int, folder: bytes) -> list[bytes]:
    """Return up to count paths in the inbox, or in a folder of it, in their order, that come after one."""
    first, end = (folder + b"/", folder + b"0") if folder else (b"", b"\xff" * 8)  # 0 comes after the slash
    query = (
        "SELECT path FROM photo WHERE state != 'superseded' AND absent_at IS NULL"
        " AND path > ? AND path >= ? AND path < ? ORDER BY path LIMIT ?"
    )
    return [bytes(row["path"]) for row in db.execute(query, (after, first, end, count))]
