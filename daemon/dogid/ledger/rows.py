"""What the ledger's rooms share: the version in a row, and a note in a photo's history."""

import sqlite3

from dogid.clock import Clock
from dogid.inbox.scan import Version


def version_of(row: sqlite3.Row) -> Version:
    """Return the version of the file that a row of photos is about."""
    return Version(row["inode"], row["size"], row["mtime_ns"])


def note(db: sqlite3.Connection, clock: Clock, photo_id: int, kind: str, detail: str) -> None:
    """Add to a photo's history."""
    db.execute(
        "INSERT INTO event (photo_id, at, kind, detail) VALUES (?, ?, ?, ?)",
        (photo_id, clock.wall_ms(), kind, detail),
    )
