"""The thread that maintains the ledger: it deletes what the settings do not keep, and repairs damaged rows."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from dogid.clock import Clock
from dogid.daemon.ledger_thread import LedgerThread
from dogid.ledger.damage import UnreadableLedgerError
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.retention import Retention, forget_departed
from dogid.ledger.stored_rows import REPAIRS

log = logging.getLogger(__name__)

_FIRST_SECONDS = 60.0  # a shorter wait competes with the start; with a longer one, frequent restarts never delete
_EVERY_SECONDS = 3600.0  # more often reads the ledger in vain; less often keeps more rows than the settings allow
# Rounds between two inspections of all rows: a day. More often wears an idle disk; less often finds damage later in
# rows that are not read.
_INSPECTION_ROUNDS = 24
_PAUSE_RATIO = 4  # between two pages of rows, as a multiple of the time that one took; lower takes time from photos


class MaintenanceThread(LedgerThread):
    """Deletes old results once an hour, and looks at all rows once a day, for as long as the daemon runs.

    What uploads that were cut off left in the inbox goes at the start, and once a day.
    """

    def __init__(
        self,
        ledger: Ledger,
        inbox: Path,
        clock: Clock,
        retention: Retention,
        on_pending: Callable[[Sequence[int]], None],
        *,
        takes_uploads: bool = False,
        first_seconds: float = _FIRST_SECONDS,
    ) -> None:
        """Set up; on_pending is called where photos have become pending whose rows were damaged.

        takes_uploads: whether photos may be uploaded into the inbox.
        """
        super().__init__("maintenance")
        self._ledger = ledger
        self._inbox = inbox
        self._clock = clock
        self._on_pending = on_pending
        self._takes_uploads = takes_uploads
        self._first_seconds = first_seconds
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._inspection_wanted = False
        self._work: Callable[[], None] | None = None
        self._retention = retention

    def run_soon(self, work: Callable[[], None]) -> None:
        """Do something else at once, or after what is being done; only the last of what was given meanwhile."""
        self._work = work
        self._woken.set()

    def change_rules(self, retention: Retention) -> None:
        """Delete by other rules from the next round on."""
        self._retention = retention

    def inspect_soon(self) -> None:
        """Look at all rows at once: a damaged one was met."""
        self._inspection_wanted = True
        self._woken.set()

    def request_stop(self) -> None:
        """Have the thread end after the rows that are being read or deleted."""
        self._stopping.set()
        self._woken.set()

    def _run(self) -> None:
        next_round, rounds = time.monotonic() + self._first_seconds, 0
        # in the first round only after a power cut or a kill, which may have left damage: it would follow each start
        first_inspection = 1 if self._ledger.was_closed else 0
        self._remove_abandoned_uploads()
        while not self._ledger.repairer.is_damaged:
            self._woken.wait(max(0.0, next_round - time.monotonic()))
            if self._stopping.is_set():
                return
            self._woken.clear()
            try:
                if (work := self._work) is not None:
                    self._work = None
                    work()
                if self._inspection_wanted:
                    self._inspection_wanted = False
                    self._inspect(urgent=True)
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + _EVERY_SECONDS
                    if rounds % _INSPECTION_ROUNDS == first_inspection:
                        self._inspect(urgent=False)
                    rounds += 1
                    if rounds % _INSPECTION_ROUNDS == 0:
                        self._remove_abandoned_uploads()
                    if self._retention.forgets:
                        self._delete_old_results()
            except sqlite3.Error as error:
                if self._ledger.repairer.repair_after(error):
                    self._on_pending(())
                elif not self._ledger.repairer.is_damaged:
                    log.warning("the ledger could not be maintained, trying again later: %s", error)
            except UnreadableLedgerError:
                self._ledger.repairer.suspect_damage()
            except Exception:
                log.warning("the ledger could not be maintained, trying again later", exc_info=True)

    def _remove_abandoned_uploads(self) -> None:
        if self._takes_uploads:
            from dogid.inbox.incoming import remove_abandoned

            remove_abandoned(self._inbox)

    def _inspect(self, *, urgent: bool) -> None:
        """Look at all rows, and repair those that are damaged; where it is urgent, without pauses."""
        repaired = self._ledger.repairer.repair_other_tables()
        repaired += self._repair_pages(self._ledger.repairer.repair_rows, urgent=urgent)
        for table in REPAIRS:
            repaired += self._repair_pages(partial(self._ledger.repairer.repair_table, table), urgent=urgent)
        if not (self._stopping.is_set() or urgent) and not self._is_consistent():
            self._ledger.repairer.rebuild_indexes()
            if not self._is_consistent():
                self._ledger.repairer.suspect_damage()
        if repaired:
            log.error("damaged rows of the ledger that were repaired or removed: %d; is the disk failing?", repaired)

    def _repair_pages(self, repair_page: Callable[[int], tuple[int | None, int]], *, urgent: bool) -> int:
        """Repair a table page by page; return how many rows were damaged. Others can write between two pages."""
        repaired = 0
        after: int | None = 0
        while after is not None and not self._stopping.is_set():
            began = time.monotonic()
            after, found = repair_page(after)
            if found:
                self._on_pending(())
            repaired += found
            if not urgent:
                self._stopping.wait(_PAUSE_RATIO * (time.monotonic() - began))
        return repaired

    def _is_consistent(self) -> bool:
        """Whether pages, indexes and tables agree: what SQLite checks by reading all of the database."""
        db = open_for_reading(self._ledger.folder)
        try:
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
        finally:
            db.close()

    def _delete_old_results(self) -> None:
        db = open_for_reading(self._ledger.folder)
        try:
            deleted = forget_departed(
                self._ledger, db, self._inbox, self._retention, self._clock.wall_ms(), self._stopping.is_set
            )
        finally:
            db.close()
        if deleted:
            log.info("deleted %d results of photos that have left the inbox", deleted)
