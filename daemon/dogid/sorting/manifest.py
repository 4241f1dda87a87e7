"""What a sorted folder holds that dogid made, in a small database in that folder: so that it can be taken back.

A photo is planned in a transaction that is on the disk before anything is made, and noted as placed after it: whatever
ends in between, the next look at the folder finds which of the two it came to.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import UsageError

FILE_NAME = ".dogid-sort.db"
_VERSION = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE folder (name TEXT PRIMARY KEY, folded TEXT NOT NULL UNIQUE, label TEXT, made INTEGER NOT NULL) STRICT;
CREATE TABLE photo (
    sha256 TEXT PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,      -- relative to the folder of the manifest: FOLDER/NAME
    kind TEXT NOT NULL,             -- copy, hardlink or symlink
    source BLOB NOT NULL,           -- absolute path of the original then
    placed INTEGER NOT NULL,        -- 0: it may be there or not
    former TEXT                     -- path before, while it moves
) STRICT;
CREATE INDEX photo_planned ON photo (placed) WHERE placed = 0;
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_COLUMNS = "sha256, path, kind, source, placed, former"


@dataclass(frozen=True, slots=True)
class PlacedPhoto:
    """A photo in a sorted folder."""

    sha256: str
    path: str
    """Relative to the folder: `FOLDER/NAME`."""
    kind: str
    source: bytes
    """Absolute path of the original, when it was placed."""
    placed: bool
    former: str | None = None
    """Where it was before, while it moves."""

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.path.partition("/")[0]


class Manifest:
    """The database. `commit` after a change: what is planned has to be on the disk before it is done."""

    def __init__(self, folder: Path, *, is_rehearsal: bool = False) -> None:
        """Open the manifest of a folder, or make one; with is_rehearsal in memory only.

        Raise UsageError where the file is another's, sqlite3.OperationalError where the disk is full or read-only.
        """
        path = folder / FILE_NAME
        if not is_rehearsal:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        else:
            self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        try:
            if is_rehearsal and path.exists():
                stored = sqlite3.connect(path)
                stored.backup(self._db)
                stored.close()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._db.executescript(_SCHEMA)
            elif version != _VERSION:
                raise UsageError(f"{path}: written by another version of dogid (format {version})")
            self._db.execute("PRAGMA synchronous = FULL")
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise UsageError(f"{path} is damaged ({error}): delete it, and sort into a new folder") from error
        self._is_open = False

    def read_setting(self, name: str) -> str | None:
        """Return a value that was noted, or None."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note_setting(self, name: str, value: str) -> None:
        """Note a value."""
        self._change("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)

    def find(self, sha256: str) -> PlacedPhoto | None:
        """Return the photo of a content; None where it was never placed."""
        return self._find("sha256 = ?", sha256)

    def find_path(self, path: str) -> PlacedPhoto | None:
        """Return the photo at a path."""
        return self._find("path = ?", path)

    def list_planned(self) -> list[PlacedPhoto]:
        """Return the photos that may have been placed or not."""
        return [_as_photo(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM photo WHERE placed = 0")]  # noqa: S608

    def iterate(self) -> Iterator[PlacedPhoto]:
        """Yield all photos; they may be removed meanwhile."""
        last = ""
        while True:
            query = f"SELECT {_COLUMNS} FROM photo WHERE sha256 > ? ORDER BY sha256 LIMIT 500"  # noqa: S608
            rows = self._db.execute(query, (last,)).fetchall()
            if not rows:
                return
            yield from map(_as_photo, rows)
            last = rows[-1][0]

    def count(self) -> int:
        """Return how many photos there are."""
        return int(self._db.execute("SELECT count(*) FROM photo").fetchone()[0])

    def write(self, photo: PlacedPhoto) -> None:
        """Note a photo, in the place of what was known of its content."""
        values = (photo.sha256, photo.path, photo.kind, photo.source, int(photo.placed), photo.former)
        self._change("INSERT OR REPLACE INTO photo VALUES (?, ?, ?, ?, ?, ?)", *values)

    def remove(self, photo: PlacedPhoto) -> None:
        """Forget a photo."""
        self._change("DELETE FROM photo WHERE sha256 = ?", photo.sha256)

    def find_folder(self, label: str | None) -> str | None:
        """Return the name of a label's folder; None where it has none yet."""
        row = self._db.execute("SELECT name FROM folder WHERE label IS ?", (label,)).fetchone()
        return None if row is None else str(row[0])

    def is_folder_free(self, folded: str) -> bool:
        """Return whether no folder has a name that is the same without regard to capitals."""
        return self._db.execute("SELECT 1 FROM folder WHERE folded = ?", (folded,)).fetchone() is None

    def write_folder(self, name: str, folded: str, label: str | None, *, made: bool) -> None:
        """Note the folder of a label, and whether dogid makes it."""
        self._change("INSERT INTO folder VALUES (?, ?, ?, ?)", name, folded, label, int(made))

    def list_made_folders(self) -> list[str]:
        """Return the names of the folders that dogid made."""
        return [str(name) for (name,) in self._db.execute("SELECT name FROM folder WHERE made = 1 ORDER BY name")]

    def commit(self) -> None:
        """Have all changes on the disk."""
        if self._is_open:
            self._db.execute("COMMIT")
            self._is_open = False

    def close(self) -> None:
        """Close it; what was not committed is dropped."""
        self._db.close()

    def _find(self, condition: str, value: str) -> PlacedPhoto | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM photo WHERE {condition}", (value,)).fetchone()  # noqa: S608
        return None if row is None else _as_photo(row)

    def _change(self, statement: str, *values: object) -> None:
        if not self._is_open:
            self._db.execute("BEGIN IMMEDIATE")
            self._is_open = True
        self._db.execute(statement, values)


def _as_photo(row: tuple[str, str, str, bytes, int, str | None]) -> PlacedPhoto:
    sha256, path, kind, source, placed, former = row
    return PlacedPhoto(sha256, path, kind, bytes(source), bool(placed), former)
