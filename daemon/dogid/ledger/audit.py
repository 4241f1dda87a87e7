"""Comparing the inbox with the ledger: is each photo accounted for exactly once?"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.conditions import inbox_unreadable
from dogid.errors import DogidError
from dogid.file_names import shown_name
from dogid.inbox.content_hash import hash_file
from dogid.inbox.inbox_condition import describe_unreadable_folder
from dogid.inbox.mounts import file_system_type, has_stable_inodes
from dogid.inbox.scan import FoundFile, ScanErrors, Version, find_file, same_version, scan
from dogid.ledger.damage import is_undecodable
from dogid.ledger.schema import version_of


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of comparing the inbox with the ledger."""

    photos: int
    """Files in the inbox that may be photos."""
    lost: tuple[bytes, ...]
    """In the inbox, but the ledger does not know the version that lies there."""
    counted_twice: tuple[bytes, ...]
    """Files that have more than one current result."""
    unreadable_folders: tuple[str, ...]
    """A message for each folder whose files are not compared, as it cannot be read."""
    links: tuple[bytes, ...]
    """Links in the inbox that are no photos."""

    @property
    def is_clean(self) -> bool:
        """Whether each photo is known to be accounted for exactly once."""
        return not self.lost and not self.counted_twice and not self.unreadable_folders

    def document(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "clean": self.is_clean,
            "photos": self.photos,
            "lost": [shown_name(path) for path in self.lost],
            "counted_twice": [shown_name(path) for path in self.counted_twice],
        }


def audit(db: sqlite3.Connection, inbox: Path) -> Audit:
    """Compare the folder as it is now with the ledger as it is now. Raise DogidError where the inbox is unreadable."""
    errors = ScanErrors({})
    photos, lost, counted_twice = 0, [], []
    stable = has_stable_inodes(file_system_type(inbox))
    rows = _CurrentRows(db, inbox)
    try:
        for file in scan(inbox, errors):
            photos += 1
            row = rows.at(file.path)
            if row is None or not _is_accounted(inbox, file, row, stable_inodes=stable):
                lost.append(file.path)
            elif rows.has_former_name(file, row):
                counted_twice.append(file.path)
    except OSError as error:
        raise DogidError(inbox_unreadable(inbox, error)) from error
    unreadable = (describe_unreadable_folder(inbox, *error) for error in errors.folders.items())
    return Audit(photos, tuple(lost), tuple(counted_twice), tuple(unreadable), tuple(errors.links))


def _is_accounted(inbox: Path, file: FoundFile, row: "_CurrentRow", *, stable_inodes: bool) -> bool:
    """Whether a row is about the file at its path: by content where only the ctime differs, as after a chmod."""
    if same_version(row.version, file.version, stable_inodes=stable_inodes):
        return True
    if not row.version.has_same_stat(file.version):
        return False
    if row.sha256 is None:
        return True  # there is no result that could be another photo's
    read = hash_file(inbox, file.path)
    return find_file(inbox, file.path) is None if read is None else read[1] == row.sha256


_LINKED = "EXISTS (SELECT 1 FROM event WHERE kind = 'linked' AND photo_id = photo.id)"
_AT_PATH = (
    f"SELECT inode, size, mtime_ns, ctime_ns, id, sha256, {_LINKED} AS linked FROM photo"  # noqa: S608
    " WHERE path = ? AND state != 'superseded'"
)
# the plus keeps SQLite from the index of states: there are few rows of one inode, and many that are classified
SAME_FILE = (
    "SELECT path FROM photo WHERE inode = ? AND size = ? AND mtime_ns = ? AND id != ? AND sha256 = ?"  # noqa: S608
    f" AND state != 'superseded' AND +state = 'classified' AND absent_at IS NULL AND NOT {_LINKED}"
)
"""Other classified photos that are the very same file."""


@dataclass(frozen=True, slots=True)
class _CurrentRow:
    """A photo's current row."""

    id: int
    version: Version
    sha256: str | None
    linked: bool
    """Whether the file was seen under two names at once: then each is a photo."""


class _CurrentRows:
    """Looks up the current rows of files."""

    def __init__(self, db: sqlite3.Connection, inbox: Path) -> None:
        self._db = db
        self._inbox = inbox

    def at(self, path: bytes) -> _CurrentRow | None:
        """Return the row of the photo at path, relative to the inbox."""
        try:
            row = self._db.execute(_AT_PATH, (path,)).fetchone()
        except sqlite3.OperationalError as error:
            if not is_undecodable(error):
                raise
            return None  # a damaged row accounts for nothing
        return None if row is None else _CurrentRow(row["id"], version_of(row), row["sha256"], bool(row["linked"]))

    def has_former_name(self, file: FoundFile, row: _CurrentRow) -> bool:
        """Whether a file also counts under a name that is no longer there, by a rename that was missed."""
        if row.linked:
            return False  # checked before the other names are looked at: they may be thousands
        others = self._db.execute(SAME_FILE, (*file.version[:3], row.id, row.sha256))
        return any(find_file(self._inbox, bytes(other["path"])) is None for other in others)
