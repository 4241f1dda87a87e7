"""How many photos have an older model's answer, for the page and `/status`: counted now and then."""

import sqlite3
import threading
import time

from dogid.ledger.replays import count_older_answers

MOST = 100_000
"""Counted. The hint is the same for more, and each costs time."""
_SECONDS = 60.0  # for which a count is shown; shorter reads more rows of large ledgers in vain
_NONE_SECONDS = 3600.0  # the same where there are none: all rows are looked at for that, and they come back rarely


class OlderAnswers:
    """The number of photos in the inbox with the answer of another model than the one that runs."""

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._last: tuple[str, int, float] | None = None
        """The model's SHA-256, its count, and until when that is shown; replaced as a whole."""

    def count(self, db: sqlite3.Connection, sha256: str) -> int:
        """Return the number for a model, up to MOST; it may be a minute old."""
        last = self._last
        if last is not None and last[0] == sha256:
            if time.monotonic() <= last[2] or not self._counting.acquire(blocking=False):
                return last[1]  # fresh, or another thread is counting, and is not waited for
        else:
            self._counting.acquire()
        try:
            return self._count(db, sha256)
        finally:
            self._counting.release()

    def _count(self, db: sqlite3.Connection, sha256: str) -> int:
        last, now = self._last, time.monotonic()
        if last is None or last[0] != sha256 or now > last[2]:
            count = count_older_answers(db, sha256, MOST)
            self._last = last = sha256, count, now + (_SECONDS if count else _NONE_SECONDS)
        return last[1]
