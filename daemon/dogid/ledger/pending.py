"""Pending photos: which are due, when the others are, and which may have killed the daemon.

What writes does so inside a transaction of the ledger's.
"""

import sqlite3
from collections.abc import Collection

from dogid.clock import Clock
from dogid.ledger.outcomes import Job
from dogid.ledger.schema import note, version_of

_AFTER_DEATH_MS = 5_000  # all others go first
_MOST_DOUBLINGS = 6
_JOB = "id, path, inode, size, mtime_ns, ctime_ns, still_since, attempts, error_code"
_WAITING = "state = 'pending' AND due > 0"


class PendingPhotos:
    """The rows that wait for a worker, or for the time of their next attempt."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._started = clock.steady_ms()

    def make_all_due(self) -> None:
        """Let all photos be tried now, at a start: times on the steady clock of a previous process mean nothing.

        If the error lasts, they wait for as long as before.
        """
        self._db.execute(f"UPDATE photo SET due = 0 WHERE {_WAITING}")  # noqa: S608

    def make_due(self, now: int) -> None:
        """Let photos be tried whose waiting time is over at now, in steady milliseconds."""
        self._db.execute(f"UPDATE photo SET due = 0 WHERE {_WAITING} AND due <= ?", (now,))  # noqa: S608

    def next_due(self) -> int | None:
        """Return when the next photo is due, in steady milliseconds; None where none waits."""
        earliest: int | None = self._db.execute(f"SELECT min(due) FROM photo WHERE {_WAITING}").fetchone()[0]  # noqa: S608
        return earliest

    def claim(self, count: int, taken: Collection[int], *, oldest: bool) -> list[Job]:
        """Return up to count photos that are due and not among taken (ids), newest first, or oldest first."""
        query = (
            f"SELECT {_JOB} FROM photo"  # noqa: S608
            " WHERE state = 'pending' AND due = 0 ORDER BY id {} LIMIT ?"
        )
        rows = self._db.execute(query.format("ASC" if oldest else "DESC"), (count + len(taken),)).fetchall()
        return [self._job(row) for row in rows if row["id"] not in taken][:count]

    def claim_these(self, ids: Collection[int]) -> list[Job]:
        """Return those photos among ids that are due."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT {_JOB} FROM photo WHERE id IN ({marks}) AND state = 'pending' AND due = 0"  # noqa: S608
        return [self._job(row) for row in self._db.execute(query, tuple(ids)).fetchall()]

    def note_interruptions(self, ids: Collection[int]) -> None:
        """Note that the daemon died while these photos were in progress, as far as they are pending."""
        for photo_id in self.pending_among(ids):
            detail = "the daemon ended without stopping while it worked on this photo"
            note(self._db, self._clock, photo_id, "interrupted", detail)

    def space_out(self, ids: Collection[int]) -> None:
        """Have photos that may have killed the daemon wait: longer for each time that it died, and never together."""
        for number, photo_id in enumerate(self.pending_among(ids)):
            query = "SELECT count(*) FROM event WHERE photo_id = ? AND kind = 'interrupted'"
            (deaths,) = self._db.execute(query, (photo_id,)).fetchone()
            again = max(0, deaths - 1)
            turns = (number << min(again, _MOST_DOUBLINGS)) + again
            due = self._clock.steady_ms() + 1 + turns * _AFTER_DEATH_MS
            self._db.execute("UPDATE photo SET due = ? WHERE id = ?", (due, photo_id))

    def pending_among(self, ids: Collection[int]) -> list[int]:
        """Return those of ids whose photos are pending, in their order."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT id FROM photo WHERE id IN ({marks}) AND state = 'pending' ORDER BY id"  # noqa: S608
        return [row["id"] for row in self._db.execute(query, tuple(ids)).fetchall()]

    def _job(self, row: sqlite3.Row) -> Job:
        unchanged_since = row["still_since"]
        if not self._started <= unchanged_since <= self._clock.steady_ms():
            unchanged_since = self._started  # noted by a previous process, whose clock may have been another
        return Job(
            id=row["id"],
            path=bytes(row["path"]),
            version=version_of(row),
            unchanged_since=unchanged_since,
            attempts=row["attempts"],
            last_error=row["error_code"],
        )
