"""Deleting results on request, of photos that are not in the inbox: from any process, beside a running daemon."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from dogid.ledger.outside_changes import changing_ledger
from dogid.ledger.presence import AbsenceCheck

_PAGE = 500
_CURRENT = "SELECT id, path, absent_at FROM photo WHERE state != 'superseded'"


def delete_photos(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Delete photos by the ids of their current rows, with all versions before; return how many there were."""
    if not ids:
        return 0
    photos = f"id IN ({','.join('?' * len(ids))}) AND state != 'superseded'"
    histories = f"SELECT history_id FROM photo WHERE {photos}"  # noqa: S608
    db.execute(f"DELETE FROM photo WHERE state = 'superseded' AND history_id IN ({histories})", ids)  # noqa: S608
    return db.execute(f"DELETE FROM photo WHERE {photos}", ids).rowcount  # noqa: S608


def find_absent_photos(db: sqlite3.Connection, inbox: Path) -> dict[int, bytes]:
    """Return id and path, relative to the inbox, of all photos that have left it.

    Files that may only be on a disk that is not mounted count where the daemon has noted that they left.
    """
    check = AbsenceCheck(inbox)
    absent: dict[int, bytes] = {}
    after = 0
    while rows := db.execute(f"{_CURRENT} AND id > ? ORDER BY id LIMIT ?", (after, _PAGE)).fetchall():
        for row in rows:
            path = bytes(row["path"])
            if check.is_missing(path) if row["absent_at"] is not None else check.has_left(path):
                absent[row["id"]] = path
        after = rows[-1]["id"]
    return absent


def forget_photos(state: Path, ids: Sequence[int]) -> int:
    """Delete photos from the ledger in a state folder; return how many. Raise UsageError where it cannot be written."""
    with changing_ledger(state, "forget") as db:
        forgotten = 0
        for at in range(0, len(ids), _PAGE):
            with db:
                forgotten += delete_photos(db, ids[at : at + _PAGE])
        return forgotten
