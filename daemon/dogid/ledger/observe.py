"""Bringing the ledger up to files as they are: new, changed, renamed, returned.

All of it happens inside a transaction of the ledger's, but for `current` and `needs_attention`, which only read.
"""

import sqlite3
from collections.abc import Callable, Sequence

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.file_names import shown_name
from dogid.inbox.scan import FoundFile, same_version
from dogid.ledger.schema import note, version_of

_RENAME_CANDIDATES = 6  # rows with one inode that are looked at: hard links share an inode by the thousand
_CURRENT = "path, id, inode, size, mtime_ns, state, error_code, due"

_MOST_DELETED = 100
"""Former versions that are deleted at once. Fewer and an older ledger takes longer to shrink to `keep_versions`, more
and a photo waits longer while it does."""

_DELETE_OLD_VERSIONS = """DELETE FROM photo WHERE id IN (
    SELECT id FROM photo WHERE history_id = :history AND state = 'superseded' AND id <= (
        SELECT id FROM photo WHERE history_id = :history AND state = 'superseded' ORDER BY id DESC LIMIT 1 OFFSET :keep
    ) ORDER BY id LIMIT :most)"""

LookAt = Callable[[bytes], FoundFile | None]
"""Given a path relative to the inbox, what is there now."""


class FileObserver:
    """Files on their way into the database."""

    def __init__(
        self, db: sqlite3.Connection, look_at: LookAt, clock: Clock, *, stable_inodes: bool, keep_versions: int
    ) -> None:
        self.keep_versions = keep_versions
        self._db = db
        self._look_at = look_at
        self._clock = clock
        self._stable_inodes = stable_inodes

    def upsert_files(self, files: Sequence[FoundFile], *, wake: bool) -> list[int | None]:
        """Bring the ledger up to files; return for each the id of its photo where that became pending or due."""
        return [self.upsert_file(file, wake=wake) for file in files]

    def upsert_file(self, file: FoundFile, *, wake: bool) -> int | None:
        """Bring the ledger up to a file; return the id of its photo where that became pending or due."""
        row = self.current([file.path]).get(file.path)
        if not self.needs_attention(row, file, wake=wake):
            return None  # a worker has answered since the first look
        if row is not None and version_of(row) == file.version:
            if row["state"] == "pending":
                self._refresh(row, file, wake=wake)
            else:
                self._requeue(row)
            return int(row["id"])
        same = self._same_file(file)
        former = next((other for other in same if not self._is_there(other)), None)
        if former is not None:
            return self._rename(former, file)
        if row is None:
            photo_id = self._insert(file)
        elif row["state"] == "pending":
            photo_id = row["id"]
            self._refresh(row, file, wake=wake)
        else:
            photo_id = self._supersede(row, file)
        if same:
            note(self._db, self._clock, photo_id, "linked", f"the same file as {shown_name(bytes(same[0]['path']))}")
        return photo_id

    def move(self, source: bytes, file: FoundFile) -> list[int] | None:
        """Note that source was renamed to file; return the id of the photo where it became pending or due.

        None where source is not known as that file, or is there still.
        """
        row = self.current([source]).get(source)
        if row is None or version_of(row) != file.version or self._is_there(row):
            return None
        renamed = self._rename(row, file)
        return [] if renamed is None else [renamed]

    def _refresh(self, row: sqlite3.Row, file: FoundFile, *, wake: bool) -> None:
        """Bring a pending row up to the file as it is now."""
        if version_of(row) != file.version:
            self._db.execute(
                "UPDATE photo SET inode = ?, size = ?, mtime_ns = ?, still_since = ? WHERE id = ?",
                (*file.version, self._clock.steady_ms(), row["id"]),
            )
        if wake:
            self._db.execute("UPDATE photo SET due = 0 WHERE id = ?", (row["id"],))

    def _requeue(self, row: sqlite3.Row) -> None:
        """Take up a photo that had vanished and is there again: with the disk it lies on, or by another name."""
        self._db.execute(
            "UPDATE photo SET state = 'pending', seq = NULL, classified_at = NULL, error_code = NULL,"
            " error_message = NULL, due = 0, attempts = 0, still_since = ? WHERE id = ?",
            (self._clock.steady_ms(), row["id"]),
        )
        if row["state"] != "pending":
            note(self._db, self._clock, row["id"], "returned", "the file is there again")

    def _supersede(self, row: sqlite3.Row, file: FoundFile) -> int:
        """Make a row a former version of a new pending one; return the new one's id."""
        self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (row["id"],))
        successor = self._insert(file)
        self._join_histories(row["id"], successor)
        return successor

    def _join_histories(self, former: int, successor: int) -> None:
        """Make former a version of successor's photo, with the versions before it, as many as are kept."""
        histories = dict(
            self._db.execute("SELECT id, history_id FROM photo WHERE id IN (?, ?)", (former, successor)).fetchall()
        )
        own = histories[successor]  # only of a photo that was renamed to the former one's name
        history = histories[former] or own or former
        if own not in (None, history):
            self._db.execute("UPDATE photo SET history_id = ? WHERE history_id = ?", (history, own))
        self._db.execute("UPDATE photo SET history_id = ? WHERE id = ?", (history, successor))
        self._db.execute(
            "UPDATE photo SET history_id = ?, superseded_by = ? WHERE id = ?", (history, successor, former)
        )
        if self.keep_versions:
            self._db.execute(
                _DELETE_OLD_VERSIONS, {"history": history, "keep": self.keep_versions, "most": _MOST_DELETED}
            )

    def _insert(self, file: FoundFile) -> int:
        cursor = self._db.execute(
            "INSERT INTO photo (path, inode, size, mtime_ns, state, seen_at, still_since)"
            " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
            (file.path, *file.version, self._clock.wall_ms(), self._clock.steady_ms()),
        )
        return int(cursor.lastrowid or 0)

    def _same_file(self, file: FoundFile) -> list[sqlite3.Row]:
        """Current rows of other names with the same inode, size and date: former names of the file, or links to it."""
        return self._db.execute(
            f"SELECT {_CURRENT} FROM photo WHERE inode = ? AND state != 'superseded'"  # noqa: S608
            " AND size = ? AND mtime_ns = ? AND path != ? LIMIT ?",
            (*file.version, file.path, _RENAME_CANDIDATES),
        ).fetchall()

    def _is_there(self, row: sqlite3.Row) -> bool:
        """Whether the very file of a row is where it was: another may have come in its place."""
        found = self._look_at(bytes(row["path"]))
        return found is not None and found.version == version_of(row)

    def _rename(self, row: sqlite3.Row, file: FoundFile) -> int | None:
        """Give a row its file's new name; return its id where the photo became pending or due."""
        replaced = self.current([file.path]).get(file.path)
        if replaced is not None:
            self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (replaced["id"],))
            self._join_histories(replaced["id"], row["id"])
        self._db.execute("UPDATE photo SET path = ? WHERE id = ?", (file.path, row["id"]))
        note(
            self._db,
            self._clock,
            row["id"],
            "renamed",
            f"from {shown_name(bytes(row['path']))} to {shown_name(file.path)}",
        )
        if row["state"] == "pending" or row["error_code"] == PhotoCode.VANISHED:
            self._requeue(row)
            return int(row["id"])
        return None

    def needs_attention(self, row: sqlite3.Row | None, file: FoundFile, *, wake: bool) -> bool:
        """Whether a file is not as its current row says; with wake, also whether it still waits to be tried."""
        if row is None or not same_version(version_of(row), file.version, stable_inodes=self._stable_inodes):
            return True
        if row["state"] == "pending":
            return wake and row["due"] > 0
        return bool(row["error_code"] == PhotoCode.VANISHED)

    def current(self, paths: Sequence[bytes]) -> dict[bytes, sqlite3.Row]:
        """Return the current rows of paths, as far as there are any."""
        marks = ",".join("?" * len(paths))
        query = f"SELECT {_CURRENT} FROM photo WHERE path IN ({marks}) AND state != 'superseded'"  # noqa: S608
        return {bytes(row["path"]): row for row in self._db.execute(query, paths)}
