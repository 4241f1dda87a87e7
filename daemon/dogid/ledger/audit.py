"""The inbox against the ledger: is each photo accounted for exactly once?"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.file_names import shown_name
from dogid.inbox.mounts import file_system_type, has_stable_inodes
from dogid.inbox.scan import FoundFile, ScanErrors, Version, find_file, same_version, scan


@dataclass(frozen=True, slots=True)
class Audit:
    """What a comparison found."""

    photos: int
    """Files in the inbox that may be photos."""
    lost: tuple[bytes, ...]
    """In the inbox, but the ledger does not know the version that lies there."""
    twice: tuple[bytes, ...]
    """Files that have more than one current result."""

    @property
    def is_clean(self) -> bool:
        """Whether each photo is accounted for exactly once."""
        return not self.lost and not self.twice

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "clean": self.is_clean,
            "photos": self.photos,
            "lost": [shown_name(path) for path in self.lost],
            "counted_twice": [shown_name(path) for path in self.twice],
        }


def audit(db: sqlite3.Connection, inbox: Path) -> Audit:
    """Compare the folder as it is now with the ledger as it is now. Raise UsageError where a folder is unreadable."""
    trouble = ScanErrors({})
    photos, lost, twice = 0, [], []
    stable = has_stable_inodes(file_system_type(inbox))
    results = _Results(db, inbox)
    try:
        for file in scan(inbox, trouble):
            photos += 1
            known = results.current(file)
            if known is None or not same_version(known.version, file.version, stable_inodes=stable):
                lost.append(file.path)
            elif results.has_another(file, known):
                twice.append(file.path)
    except OSError as error:
        raise UsageError(f"{inbox}: cannot read the inbox: {error.strerror}") from error
    if trouble.folders:
        folder, reason = next(iter(trouble.folders.items()))
        raise UsageError(f"{inbox}/{shown_name(folder)}: cannot read the folder: {reason}")
    return Audit(photos, tuple(lost), tuple(twice))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger has under a file's name."""

    id: int
    version: Version
    linked: bool
    """Whether the file was seen under two names at once: then each is a photo."""


_LINKED = "EXISTS (SELECT 1 FROM event WHERE kind = 'linked' AND photo_id = photo.id)"
_KNOWN = (
    f"SELECT inode, size, mtime_ns, id, {_LINKED} FROM photo"  # noqa: S608
    " WHERE path = ? AND state != 'superseded'"
)
# To be found by the index of inodes: the plus keeps SQLite from that of states.
SAME_FILE = (
    "SELECT path FROM photo WHERE inode = ? AND size = ? AND mtime_ns = ? AND id != ?"  # noqa: S608
    f" AND state != 'superseded' AND +state = 'classified' AND NOT {_LINKED}"
)


class _Results:
    """The ledger, asked about files."""

    def __init__(self, db: sqlite3.Connection, inbox: Path) -> None:
        self._db = db
        self._inbox = inbox

    def current(self, file: FoundFile) -> _Known | None:
        """What is known under a file's name."""
        row = self._db.execute(_KNOWN, (file.path,)).fetchone()
        return None if row is None else _Known(row["id"], Version(*row[:3]), bool(row[4]))

    def has_another(self, file: FoundFile, known: _Known) -> bool:
        """Whether a file counts twice: also under a name that is no longer there, by a rename that was missed."""
        if known.linked:
            return False  # asked before the other names are looked at: they may be thousands
        others = self._db.execute(SAME_FILE, (*file.version, known.id))
        return any(find_file(self._inbox, bytes(row["path"])) is None for row in others)
