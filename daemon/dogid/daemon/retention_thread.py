"""The thread that deletes, now and then, the results that the settings do not keep."""

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

_FIRST_SECONDS = 60.0  # a shorter wait competes with the start; with a longer one, frequent restarts never delete
_EVERY_SECONDS = 3600.0  # more often reads the ledger in vain; less often keeps more rows than the settings allow


class RetentionThread:
    """Deletes old results once an hour, for as long as the daemon runs."""

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
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self, retention: Retention) -> None:
        """Delete by these rules, for the first time after a while."""
        self._retention = retention
        self._thread.start()

    def change_rules(self, retention: Retention) -> None:
        """Delete by other rules from the next round on."""
        self._retention = retention

    def request_stop(self) -> None:
        """Have the thread end after the rows that are being deleted."""
        self._stopping.set()

    def join(self, deadline: float) -> None:
        """Wait for the thread to end, until deadline (a `time.monotonic()`) at most."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        pause = self._first_seconds
        while not self._stopping.wait(pause):
            pause = _EVERY_SECONDS
            if not self._retention.forgets:
                continue
            try:
                self._delete_old_results()
            except sqlite3.Error as error:
                log.warning("old results could not be deleted, trying again later: %s", error)
            except Exception:
                log.warning("old results could not be deleted, trying again later", exc_info=True)

    def _delete_old_results(self) -> None:
        db = open_for_reading(self._state)
        try:
            deleted = forget_departed(
                self._ledger, db, self._inbox, self._retention, self._clock.wall_ms(), self._stopping.is_set
            )
        finally:
            db.close()
        if deleted:
            log.info("deleted %d results of photos that have left the inbox", deleted)
