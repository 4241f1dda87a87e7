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
        self._lock = threading.Lock()
        self._model = ""
        self._count = 0
        self._fresh_until = 0.0

    def count(self, db: sqlite3.Connection, sha256: str) -> int:
        """Return the number for a model, up to MOST; it may be a minute old."""
        with self._lock:
            now = time.monotonic()
            if sha256 != self._model or now > self._fresh_until:
                self._count = count_older_answers(db, sha256, MOST)
                self._model = sha256
                self._fresh_until = now + (_SECONDS if self._count else _NONE_SECONDS)
            return self._count
