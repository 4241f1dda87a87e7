"""The inbox against the ledger: is each photo accounted for exactly once?"""

import functools
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.inbox.mounts import file_system, inodes_last
from dogid.inbox.scan import FoundFile, ScanTrouble, Version, look, same_version, scan
from dogid.names import shown_name

_REMEMBERED = 1024  # files whose other names are kept in mind: one may have names by the thousand


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
    trouble = ScanTrouble({})
    photos, lost, twice = 0, [], []
    stable = inodes_last(file_system(inbox))
    results = _Results(db, inbox)
    try:
        for file in scan(inbox, trouble):
            photos += 1
            known = results.current(file)
            if known is None or not same_version(known.version, file.version, stable_inodes=stable):
                lost.append(file.path)
            elif results.has_another(file, known.id):
                twice.append(file.path)
    except OSError as error:
        raise UsageError(f"{inbox}: cannot read the inbox: {error.strerror}") from error
    if trouble.folders:
        folder, reason = next(iter(trouble.folders.items()))
        raise UsageError(f"{inbox}/{shown_name(folder)}: cannot read the folder: {reason}")
    return Audit(photos, tuple(lost), tuple(twice))


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    version: Version


_LINKED = "SELECT 1 FROM event WHERE kind = 'linked' AND photo_id = "
# To be found by the index of inodes: the plus keeps SQLite from that of states.
SAME_FILE = (
    "SELECT id, path FROM photo WHERE inode = ? AND size = ? AND mtime_ns = ?"  # noqa: S608
    f" AND state != 'superseded' AND +state = 'classified' AND NOT EXISTS ({_LINKED} photo.id)"
)


class _Results:
    """What the ledger has of files."""

    def __init__(self, db: sqlite3.Connection, inbox: Path) -> None:
        self._db = db
        self._inbox = inbox
        self._gone = functools.lru_cache(_REMEMBERED)(self._under_gone_names)

    def current(self, file: FoundFile) -> _Known | None:
        """What is known under a file's name."""
        query = "SELECT inode, size, mtime_ns, id FROM photo WHERE path = ? AND state != 'superseded'"
        row = self._db.execute(query, (file.path,)).fetchone()
        return None if row is None else _Known(row["id"], Version(*row[:3]))

    def has_another(self, file: FoundFile, photo_id: int) -> bool:
        """Whether a file counts twice: also under a name that is no longer there, by a rename that was missed.

        Two names that were once seen together are two photos.
        """
        if all(gone == photo_id for gone in self._gone(file.version)):
            return False
        return self._db.execute(f"{_LINKED} ?", (photo_id,)).fetchone() is None

    def _under_gone_names(self, version: Version) -> list[int]:
        rows = self._db.execute(SAME_FILE, version).fetchall()
        return [row["id"] for row in rows if look(self._inbox, bytes(row["path"])) is None]
