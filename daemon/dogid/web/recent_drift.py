"""The figures of the last weeks, for the page, `/status` and `/metrics`: read now and then."""

import sqlite3
import threading
import time
from collections.abc import Mapping

from dogid.clock import Clock
from dogid.ledger.drift import Drift, read_drift

_SECONDS = 60.0  # for which figures are shown; shorter reads thousands of rows more often, for weeks that hardly move


class RecentDrift:
    """Reads the figures at most once a minute, and anew by other thresholds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = Clock()
        self._last: Drift | None = None
        self._thresholds: Mapping[str, float] = {}
        self._fresh_until = 0.0

    def read(self, db: sqlite3.Connection, thresholds: Mapping[str, float]) -> Drift:
        """Return the figures by thresholds (scores by label); they may be a minute old."""
        with self._lock:
            now = time.monotonic()
            if self._last is None or now > self._fresh_until or thresholds != self._thresholds:
                self._last = read_drift(db, self._clock.wall_ms(), thresholds)
                self._thresholds, self._fresh_until = thresholds, now + _SECONDS
            return self._last
