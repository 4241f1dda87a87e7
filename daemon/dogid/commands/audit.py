"""`dogid audit`: the inbox against the ledger. Nothing lost, nothing counted twice."""

import argparse
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid import settings
from dogid.commands import reading_state
from dogid.errors import UsageError
from dogid.names import one_line, shown_name

_PATIENCE_SECONDS = 5.0  # a daemon at work needs a moment for a photo that has just arrived
_PAUSE_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What all readers take."""
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print what does not agree; exit 1 if anything does not."""
    db = reading_state.open_state(args)
    inbox = settings.load(args).inbox.absolute()
    found = _audit_patiently(db, inbox)
    if args.json:
        reading_state.print_json(found.document())
    else:
        _print(found)
    return 0 if found.is_clean else 1


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


# Two current rows of one file under two names, of which one is no longer there: a rename that was missed, unless both
# names were once seen together. To be found by the index of inodes: the plus keeps SQLite from that of states.
SAME_FILE = (
    "SELECT path FROM photo WHERE inode = ? AND size = ? AND mtime_ns = ? AND path != ?"
    " AND state != 'superseded' AND +state = 'classified'"
    " AND NOT EXISTS (SELECT 1 FROM event WHERE kind = 'linked' AND photo_id IN (photo.id, ?)) LIMIT 20"
)


def audit(db: sqlite3.Connection, inbox: Path) -> Audit:
    """Compare the folder as it is now with the ledger as it is now. Raise UsageError where a folder is unreadable."""
    from dogid.inbox.mounts import file_system, inodes_last
    from dogid.inbox.scan import ScanTrouble, Version, look, same_version, scan

    trouble = ScanTrouble({})
    photos, lost, twice = 0, [], []
    stable = inodes_last(file_system(inbox))
    query = "SELECT inode, size, mtime_ns, id FROM photo WHERE path = ? AND state != 'superseded'"
    try:
        for file in scan(inbox, trouble):
            photos += 1
            rows = db.execute(query, (file.path,)).fetchall()
            if not rows or not same_version(Version(*rows[0][:3]), file.version, stable_inodes=stable):
                lost.append(file.path)
                continue
            links = db.execute(SAME_FILE, (*file.version, file.path, rows[0]["id"]))
            if any(look(inbox, bytes(row["path"])) is None for row in links):
                twice.append(file.path)
    except OSError as error:
        raise UsageError(f"{inbox}: cannot read the inbox: {error.strerror}") from error
    if trouble.folders:
        folder, reason = next(iter(trouble.folders.items()))
        raise UsageError(f"{inbox}/{shown_name(folder)}: cannot read the folder: {reason}")
    return Audit(photos, tuple(lost), tuple(twice))


def _audit_patiently(db: sqlite3.Connection, inbox: Path) -> Audit:
    """Look again for a few seconds where something disagrees: a daemon at work may be about to mend it."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = audit(db, inbox)
        if found.is_clean or time.monotonic() > ends:
            return found
        time.sleep(_PAUSE_SECONDS)


def _print(found: Audit) -> None:
    for path in found.lost:
        print(f"lost: {one_line(shown_name(path))}")  # noqa: T201
    for path in found.twice:
        print(f"counted twice: {one_line(shown_name(path))}")  # noqa: T201
    verdict = "nothing lost, nothing counted twice" if found.is_clean else "the ledger does not agree with the inbox"
    print(f"{found.photos} photos in the inbox: {verdict}")  # noqa: T201
