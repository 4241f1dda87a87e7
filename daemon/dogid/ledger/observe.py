"""Updating the ledger to the files of the inbox: new, changed, renamed and returned ones.

All of it happens inside a transaction of the ledger's, but for `current`, `assess` and `other_names`, which only read.
No file is looked at here: an inbox that hangs must not stop the writing of results.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.file_names import shown_name
from dogid.inbox.scan import FoundFile, Version, same_version
from dogid.ledger.current_rows import CURRENT_COLUMNS, read_current_rows
from dogid.ledger.damage import DamagedIndexError
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.schema import RETURNED, note, version_of

_RENAME_CANDIDATES = 6  # rows with one inode that are looked at: hard links share an inode by the thousand
_MOST_LINKS = 100  # to one file that an event makes us look at; with more, those that are left wait for a scan

Looks = Mapping[bytes, Version | None]
"""What was found at paths relative to the inbox a moment ago; None where there was nothing."""


class Assessment(Enum):
    """How a file compares with its current row."""

    SAME = 1
    CHANGED = 2
    DOUBTFUL = 3
    """Size and mtime agree and the ctime does not: only the content says whether the row's result is the file's."""


class UnknownPathError(Exception):
    """Whether a file was renamed cannot be decided before its other names have been looked at."""


class FileObserver:
    """Files on their way into the database."""

    def __init__(
        self, db: sqlite3.Connection, clock: Clock, former_versions: FormerVersions, *, stable_inodes: bool
    ) -> None:
        self._former_versions = former_versions
        self._db = db
        self._clock = clock
        self._stable_inodes = stable_inodes

    def upsert_files(
        self, files: Sequence[FoundFile], looks: Looks, *, wake: bool, written: Collection[bytes] = ()
    ) -> list[int | None]:
        """Bring the ledger up to files, in their order, as far as looks allow: to the first that needs another look.

        Return for each of these the id of its photo where that became pending or due.
        """
        done: list[int | None] = []
        for file in files:
            try:
                photo_id = self._upsert_file(file, looks, wake=wake, written=file.path in written)
            except UnknownPathError:
                break
            done.append(photo_id)
        return done

    def other_names(self, files: Sequence[FoundFile]) -> set[bytes]:
        """Return the paths that have to be looked at before it is known which of files were renamed."""
        versions = Counter(file.version[:3] for file in files)
        names = {bytes(row["path"]) for file in files for row in self._same_file(file)}
        return names | {file.path for file in files if versions[file.version[:3]] > 1}

    def _upsert_file(self, file: FoundFile, looks: Looks, *, wake: bool, written: bool) -> int | None:
        """Bring the ledger up to a file; return the id of its photo where that became pending or due.

        Raise UnknownPathError, with nothing done, where looks lacks another name of the file.
        """
        row = self.current([file.path]).get(file.path)
        if self.assess(row, file, wake=wake, written=written) is not Assessment.CHANGED:
            return None  # a worker has answered since the first look
        if row is not None and self._is_known(row, file):
            if row["error_code"] == PhotoCode.VANISHED and row["state"] == "failed":
                self._requeue(row)
            elif row["state"] == "pending":
                self._refresh(row, file, wake=wake)
            else:
                self._adopt_version(row, file.version)
                return None
            return int(row["id"])
        same = self._same_file(file, is_new=row is None)
        if not looks.keys() >= {bytes(other["path"]) for other in same}:
            raise UnknownPathError
        former = next((other for other in same if not _is_there(other, looks)), None)
        if former is not None and _has_no_result(former):
            return self._rename(former, file)
        if row is None:
            photo_id = self._insert(file)
        elif row["state"] == "pending":
            photo_id = row["id"]
            self._refresh(row, file, wake=wake)
        else:
            photo_id = self._supersede(row, file)
        if former is not None:
            self._db.execute("UPDATE photo SET maybe_former_id = ? WHERE id = ?", (former["id"], photo_id))
        other_name = next((bytes(other["path"]) for other in same if _is_there(other, looks)), None)
        if other_name is not None:
            self._note_linked(photo_id, other_name)
        return photo_id

    def formers_at(self, files: Sequence[FoundFile], current: Mapping[bytes, sqlite3.Row]) -> dict[int, bytes]:
        """Return rows, by id, that files under other names may be the renamed files of, and are not: with their paths.

        They are those of the current rows of files whose very file is at its path.
        """
        there = {
            row["id"]: file.path
            for file in files
            if (row := current.get(file.path)) is not None
            and (version_of(row).has_same_stat(file.version) or self._is_known(row, file))
        }
        marks = ",".join("?" * len(there))
        query = f"SELECT DISTINCT maybe_former_id FROM photo WHERE maybe_former_id IN ({marks})"  # noqa: S608
        return {former: there[former] for (former,) in self._db.execute(query, tuple(there))}

    def release_formers(self, formers: Mapping[int, bytes]) -> None:
        """Let pending photos be links to the files of rows, given by id with their paths, and not these renamed."""
        for former, path in formers.items():
            query = "UPDATE photo SET maybe_former_id = NULL WHERE maybe_former_id = ? RETURNING id"
            for (photo_id,) in self._db.execute(query, (former,)).fetchall():
                self._note_linked(photo_id, path)

    def _note_linked(self, photo_id: int, other_name: bytes) -> None:
        note(self._db, self._clock, photo_id, "linked", f"the same file as {shown_name(other_name)}")

    def move(self, source: bytes, file: FoundFile, looks: Looks) -> list[int] | None:
        """Note that source was renamed to file; return the id of the photo where it became pending or due.

        None where source is not known as that file, or is there still.
        """
        row = self.current([source]).get(source)
        if row is None or not version_of(row).has_same_stat(file.version) or _is_there(row, looks):
            return None
        renamed = self._rename(row, file)
        return [] if renamed is None else [renamed]

    def _refresh(self, row: sqlite3.Row, file: FoundFile, *, wake: bool) -> None:
        """Bring a pending row up to the file as it is now."""
        if version_of(row) != file.version:
            self._db.execute(
                "UPDATE photo SET inode = ?, size = ?, mtime_ns = ?, ctime_ns = ?, still_since = ? WHERE id = ?",
                (*file.version, self._clock.steady_ms(), row["id"]),
            )
        if wake:
            self._db.execute("UPDATE photo SET due = 0 WHERE id = ?", (row["id"],))

    def _adopt_version(self, row: sqlite3.Row, version: Version) -> None:
        """Note the version of a file whose content is the row's."""
        self._db.execute(
            "UPDATE photo SET inode = ?, size = ?, mtime_ns = ?, ctime_ns = ?, absent_at = NULL WHERE id = ?",
            (*version, row["id"]),
        )
        if row["absent_at"] is not None:
            note(self._db, self._clock, row["id"], "returned", RETURNED)

    def _requeue(self, row: sqlite3.Row) -> None:
        """Take up a photo that had vanished and is there again: with the disk it lies on, or by another name."""
        self._db.execute(
            "UPDATE photo SET state = 'pending', seq = NULL, classified_at = NULL, error_code = NULL,"
            " error_message = NULL, due = 0, attempts = 0, still_since = ? WHERE id = ?",
            (self._clock.steady_ms(), row["id"]),
        )
        if row["state"] != "pending":
            note(self._db, self._clock, row["id"], "returned", RETURNED)

    def _supersede(self, row: sqlite3.Row, file: FoundFile) -> int:
        """Make a row a former version of a new pending one; return the new one's id."""
        self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (row["id"],))
        successor = self._insert(file)
        self._former_versions.join(row["id"], successor)
        return successor

    def _insert(self, file: FoundFile) -> int:
        cursor = self._db.execute(
            "INSERT INTO photo (path, inode, size, mtime_ns, ctime_ns, state, seen_at, still_since)"
            " VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
            (file.path, *file.version, self._clock.wall_ms(), self._clock.steady_ms()),
        )
        return int(cursor.lastrowid or 0)

    def _same_file(self, file: FoundFile, *, is_new: bool = False) -> list[sqlite3.Row]:
        """Current rows of other names with the same inode, size and date: former names of the file, or links to it.

        Raise DamagedIndexError where is_new, as no row was found at the file's path, and there is one.
        """
        rows = self._db.execute(
            f"SELECT {CURRENT_COLUMNS} FROM photo WHERE inode = ? AND state != 'superseded'"  # noqa: S608
            " AND size = ? AND mtime_ns = ? LIMIT ?",
            (*file.version[:3], _RENAME_CANDIDATES),
        ).fetchall()
        others = [row for row in rows if row["path"] != file.path]
        if is_new and len(others) < len(rows):
            raise DamagedIndexError("a photo is in the index of inodes, and not in that of paths")
        return others

    def _rename(self, row: sqlite3.Row, file: FoundFile) -> int | None:
        """Give a row its file's new name; return its id where the photo became pending or due."""
        replaced = self.current([file.path]).get(file.path)
        if replaced is not None:
            self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (replaced["id"],))
            self._former_versions.join(replaced["id"], row["id"])
        self._db.execute("UPDATE photo SET path = ?, absent_at = NULL WHERE id = ?", (file.path, row["id"]))
        note(
            self._db,
            self._clock,
            row["id"],
            "renamed",
            f"from {shown_name(bytes(row['path']))} to {shown_name(file.path)}",
        )
        if _has_no_result(row):
            self._adopt_version(row, file.version)
            self._requeue(row)
            return int(row["id"])
        return None

    def _is_known(self, row: sqlite3.Row, file: FoundFile) -> bool:
        """Whether a file is the one of its row as far as can be known without reading it."""
        version = version_of(row)
        is_unread = row["error_code"] == PhotoCode.TOO_LARGE and row["sha256"] is None
        if is_unread and version.has_same_stat(file.version):
            return True  # it was not read for its size, and is as large as before
        return same_version(version, file.version, stable_inodes=self._stable_inodes)

    def assess(self, row: sqlite3.Row | None, file: FoundFile, *, wake: bool, written: bool = False) -> Assessment:
        """Compare a file with its current row; with wake, a row that waits to be tried counts as changed.

        written: whether the file was closed after writing. If its ctime has changed too, its content probably has.
        """
        if row is None:
            return Assessment.CHANGED
        version = version_of(row)
        agrees = same_version(version, file.version, stable_inodes=self._stable_inodes)
        if row["state"] == "pending":
            return Assessment.CHANGED if not agrees or (wake and row["due"] > 0) else Assessment.SAME
        if row["error_code"] == PhotoCode.VANISHED or (self._stable_inodes and version.ctime_ns is None):
            return Assessment.CHANGED
        if agrees and row["absent_at"] is not None:
            return Assessment.CHANGED
        has_content = row["sha256"] is not None
        if agrees:
            # an event says that something happened, and a file system without stable inodes has no ctime to ask; and
            # one long write changes the ctime only as it begins, when a worker may read the file
            is_doubtful = has_content and (written or (wake and not self._stable_inodes))
            return Assessment.DOUBTFUL if is_doubtful else Assessment.SAME
        is_doubtful = has_content and not written and version.has_same_stat(file.version)
        return Assessment.DOUBTFUL if is_doubtful else Assessment.CHANGED

    def decide(self, file: FoundFile, sha256: str) -> int | None:
        """Given the content of a doubtful file, keep its result or have it classified; return the id in that case."""
        row = self.current([file.path]).get(file.path)
        if row is None or row["state"] == "pending" or row["sha256"] is None:
            return None
        if row["sha256"] != sha256:
            return self._supersede(row, file)
        self._adopt_version(row, file.version)
        return None

    def names_of_changed(self, files: Sequence[FoundFile]) -> set[bytes]:
        """Return other current paths with the inodes of files, as far as their rows are about other versions of these.

        They are links to the same files, which have changed with them, or their former names.
        """
        names: set[bytes] = set()
        for file in files:
            rows = self._db.execute(
                "SELECT path FROM photo WHERE inode = ? AND state != 'superseded' AND path != ?"
                " AND (size != ? OR mtime_ns != ? OR ctime_ns != ?) LIMIT ?",
                (file.version.inode, file.path, *file.version[1:], _MOST_LINKS),
            )
            names.update(bytes(row["path"]) for row in rows)
        return names

    def current(self, paths: Sequence[bytes]) -> dict[bytes, sqlite3.Row]:
        """Return the current rows of files by their paths, as `read_current_rows`."""
        return read_current_rows(self._db, paths)


def _has_no_result(row: sqlite3.Row) -> bool:
    """Whether a row's file is read in any case: then another file cannot get its result."""
    return bool(row["state"] == "pending" or row["error_code"] == PhotoCode.VANISHED)


def _is_there(row: sqlite3.Row, looks: Looks) -> bool:
    """Whether the very file of a row is where it was: another may have come in its place."""
    seen = looks[bytes(row["path"])]
    return seen is not None and seen.has_same_stat(version_of(row))
