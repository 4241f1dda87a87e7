"""The days of which the page has links, looked up now and then: finding one among many photos takes some queries."""

import datetime as dt
import sqlite3
import threading
import time
from collections.abc import Sequence

from dogid.ledger.gallery_queries import SeenDay, find_newest_day, list_days

_MOST = 14
"""Days, the newest with photos; all others are found by the field for a date."""
_MAX_AGE_SECONDS = 60.0
"""After which a day whose last photo was deleted is no longer listed. Less costs each page of a large ledger more."""


class DayList:
    """The newest days on which photos were seen first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._days: Sequence[SeenDay] = ()
        self._expires_at = 0.0

    def days(self, db: sqlite3.Connection) -> Sequence[SeenDay]:
        """Return them, the newest first. A new day is among them at once."""
        newest, clock = find_newest_day(db), time.monotonic()
        with self._lock:
            if clock > self._expires_at or newest != self._newest():
                self._days, self._expires_at = list_days(db, _MOST), clock + _MAX_AGE_SECONDS
            return self._days

    def _newest(self) -> dt.date | None:
        return self._days[0].day if self._days else None
