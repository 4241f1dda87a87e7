"""The thread that forgets, now and then, the results that the settings do not keep."""

import logging
import sqlite3
import threading
import time
from pathlib import Path

from dogid.clock import Clock
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.retention import Retention, forget_departed

log = logging.getLogger(__name__)

_FIRST_SECONDS = 60.0  # the start has more urgent things to do
_EVERY_SECONDS = 3600.0


class RetentionThread:
    """Start it with the daemon, stop it with the daemon."""

    def __init__(
        self, ledger: Ledger, state: Path, inbox: Path, clock: Clock, *, first_seconds: float = _FIRST_SECONDS
    ) -> None:
        self._ledger = ledger
        self._state = state
        self._inbox = inbox
        self._clock = clock
        self._first_seconds = first_seconds
        self._stopping = threading.Event()
        self._retention = Retention(0, 0)
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self, retention: Retention) -> None:
        """Begin."""
        self._retention = retention
        self._thread.start()

    def adopt(self, retention: Retention) -> None:
        """Keep by other rules from the next round on."""
        self._retention = retention

    def stop(self) -> None:
        """Have it end; the page that is being forgotten is finished."""
        self._stopping.set()

    def join(self, ends: float) -> None:
        """Wait for its end, until the monotonic time ends."""
        self._thread.join(max(0.0, ends - time.monotonic()))

    def _run(self) -> None:
        pause = self._first_seconds
        while not self._stopping.wait(pause):
            pause = _EVERY_SECONDS
            if not self._retention.forgets:
                continue
            try:
                self._tidy()
            except sqlite3.Error as error:
                log.warning("old results could not be forgotten, trying again later: %s", error)
            except Exception:
                log.warning("old results could not be forgotten, trying again later", exc_info=True)

    def _tidy(self) -> None:
        db = open_for_reading(self._state)
        try:
            forgotten = forget_departed(
                self._ledger, db, self._inbox, self._retention, self._clock.wall_ms(), self._stopping.is_set
            )
        finally:
            db.close()
        if forgotten:
            log.info("forgot %d results of photos that have left the inbox", forgotten)
