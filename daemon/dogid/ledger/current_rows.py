"""The current rows of files, by their paths. Nothing here writes."""

import sqlite3
from collections.abc import Sequence

from dogid.ledger.damage import DamagedIndexError

CURRENT_COLUMNS = (
    "photo.path, photo.id, photo.inode, photo.size, photo.mtime_ns, photo.ctime_ns, photo.state, photo.sha256,"
    " photo.error_code, photo.due, photo.absent_at"
)
"""What is read of them."""


def read_current_rows(db: sqlite3.Connection, paths: Sequence[bytes]) -> dict[bytes, sqlite3.Row]:
    """Return the current rows of paths, as far as there are any."""
    marks = ",".join("?" * len(paths))
    # SQLite would take the path from the index; from the row, it shows damage to either
    query = (
        f"SELECT entry.path AS entry_path, {CURRENT_COLUMNS} FROM photo AS entry"  # noqa: S608
        " CROSS JOIN photo ON photo.id = entry.id"
        f" WHERE entry.path IN ({marks}) AND entry.state != 'superseded'"
    )
    rows = db.execute(query, paths).fetchall()
    if any(row["entry_path"] != row["path"] for row in rows):
        raise DamagedIndexError("the index of paths disagrees with its table")
    return {row["entry_path"]: row for row in rows}
