"""The limits by which photos are refused as too large: where one was raised, these photos are tried again, once.

What writes does so inside a transaction of the ledger's.
"""

import sqlite3
from collections.abc import Mapping

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.ledger.schema import note

# A machine's memory may differ by this much after an update of its kernel. Raising it leaves photos refused for which
# there is enough by a little; lowering it tries all of them again after such an update.
_SAME_MEMORY_RATIO = 1.02
_PREFIX = "limit "
_REFUSED = "state = 'failed' AND error_code = ? AND absent_at IS NULL"
_NOTE = "INSERT OR REPLACE INTO counter VALUES (?, ?)"


def differ_from_noted(db: sqlite3.Connection, limits: Mapping[str, int]) -> bool:
    """Return whether limits, by the names of their settings, are others than those that are noted."""
    noted = _read_noted(db)
    return bool(_find_changed(noted, limits))


def note_limits(db: sqlite3.Connection, clock: Clock, limits: Mapping[str, int]) -> int:
    """Note limits in the place of those before; return how many photos become pending since one was raised."""
    noted = _read_noted(db)
    changed = _find_changed(noted, limits)
    raised = sorted(name for name, limit in changed.items() if limit > noted.get(name, limit))
    db.executemany(_NOTE, [(_PREFIX + name, limit) for name, limit in changed.items()])
    return _retry_refused(db, clock, f"a limit was raised: {', '.join(raised)}") if raised else 0


def _retry_refused(db: sqlite3.Connection, clock: Clock, reason: str) -> int:
    query = f"SELECT id, error_message FROM photo WHERE {_REFUSED}"  # noqa: S608
    refused = db.execute(query, (PhotoCode.TOO_LARGE,)).fetchall()
    for photo_id, message in refused:
        db.execute(
            "UPDATE photo SET state = 'pending', seq = NULL, classified_at = NULL, error_code = NULL,"
            " error_message = NULL, sha256 = NULL, due = 0, attempts = 0, still_since = ? WHERE id = ?",
            (clock.steady_ms(), photo_id),
        )
        note(db, clock, photo_id, "retried", f"{reason}; before: {message}")
    return len(refused)


def _read_noted(db: sqlite3.Connection) -> dict[str, int]:
    rows = db.execute("SELECT name, value FROM counter WHERE substr(name, 1, ?) = ?", (len(_PREFIX), _PREFIX))
    return {name[len(_PREFIX) :]: value for name, value in rows}


def _find_changed(noted: Mapping[str, int], limits: Mapping[str, int]) -> dict[str, int]:
    return {name: limit for name, limit in limits.items() if not _are_same(name, noted.get(name), limit)}


def _are_same(name: str, before: int | None, after: int) -> bool:
    if before is None or name != "memory":
        return before == after
    return max(before, after) <= min(before, after) * _SAME_MEMORY_RATIO
