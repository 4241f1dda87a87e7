"""Compares the inbox with the ledger: by scans always, at the kernel's events sooner.

The folder decides. An event that is lost, doubled, late or false can only change how soon a photo is seen.
"""

import contextlib
import dataclasses
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from dogid.clock import Clock
from dogid.conditions import inbox_unreadable, ledger_unwritable
from dogid.daemon.comparer import ARRIVALS, ARRIVALS_OF_A_FLOOD, Comparer, OnPending
from dogid.daemon.event_queue import BATCH, EventQueue
from dogid.daemon.ledger_thread import LedgerThread
from dogid.daemon.scan_interval import WITH_EVENTS, WITHOUT_EVENTS
from dogid.daemon.scan_status import ScanStatus
from dogid.daemon.wait_clock import WaitClock
from dogid.daemon.watch_keeper import WatchKeeper
from dogid.inbox.inbox_condition import (
    describe_link_out,
    describe_unreadable_folder,
    select_links_out,
    summarise_links_out,
)
from dogid.inbox.scan import FoundFile, ScanErrors, scan
from dogid.inbox.watch import FileEvent
from dogid.ledger.ledger import Ledger
from dogid.ledger.presence import AbsenceCheck
from dogid.status import WatchStatus

log = logging.getLogger(__name__)

# Raising this delays finding that the inbox was replaced; lowering it wakes an idle machine more often.
_CHECK_SECONDS = 2.0  # how soon a stale watch is noticed where scans are far apart
# Raising this delays finding files whose events were lost; lowering it lets scans of a large inbox fill a core.
_MIN_IDLE_RATIO = 4  # pause after a scan before one that was requested at once, as a multiple of the scan's length
_LEDGER_RETRY_SECONDS = 1.0  # shorter fills the log while a disk is full, longer delays the recovery
_ERROR_RETRY_SECONDS = 5.0  # after an unexpected error, which may come again at once


class Reconciler(LedgerThread):
    """The thread that compares the inbox with the ledger."""

    def __init__(
        self,
        inbox: Path,
        ledger: Ledger,
        on_pending: OnPending,
        clock: Clock,
        inbox_wait: WaitClock,
        ledger_wait: WaitClock,
    ) -> None:
        """Set up. inbox_wait runs while the inbox is waited for, ledger_wait while the ledger is."""
        super().__init__("reconciler")
        self._inbox = inbox
        self._ledger = ledger
        self._on_pending = on_pending
        self._inbox_wait = inbox_wait
        self._ledger_wait = ledger_wait
        self._events = EventQueue()
        self._folders: deque[FileEvent] = deque()  # that were made or renamed, and are to be compared
        self._comparer = Comparer(inbox, ledger, on_pending, inbox_wait, ledger_wait, lambda: self._events.is_closed)
        self.inbox_identity: tuple[int, int] | None = None
        """Device and inode of the inbox in the last scan; None before."""
        self._watch = WatchKeeper(inbox, self._events.put, self._events.want_scan)
        self._status = ScanStatus(clock, *self._watch.explanation)

    def start(self) -> None:
        """Start the watch and the thread."""
        self._watch.start()
        super().start()

    def request_stop(self) -> None:
        """Have the thread end after the batch that is being compared."""
        self._events.close()

    def join(self, deadline: float) -> None:
        """Wait for the thread to end, until deadline (a `time.monotonic()`) at most, and drop the watch."""
        super().join(deadline)
        self._watch.drop()

    @property
    def status(self) -> WatchStatus:
        """How the inbox is watched now."""
        mode, reason = self._watch.explanation
        return dataclasses.replace(self._status.watch_status, mode=mode, reason=reason)

    def _run(self) -> None:
        begun = rested = next_scan = time.monotonic()
        while not self._events.is_closed:
            try:
                until = 0.0 if self._folders else min(next_scan, time.monotonic() + _CHECK_SECONDS)
                self.handle(self._events.take(until, rested))
                self.compare_next_folder()
                self._note_gone()
                with self._ledger_wait:
                    self._ledger.note_foreign_changes()
                now = time.monotonic()
                if now >= next_scan or (self._events.scan_is_wanted and now >= rested) or self._watch_is_stale():
                    begun = time.monotonic()
                    pause = self._scan_all()
                    ended = time.monotonic()
                    next_scan, rested = ended + pause, ended + _MIN_IDLE_RATIO * (ended - begun)
            except Exception as error:
                if self._ledger.repairer.repair_after(error):
                    self._on_pending(())
                    next_scan = time.monotonic()
                elif self._ledger.repairer.is_damaged:
                    return  # so the health check fails, and systemd restarts the daemon
                elif isinstance(error, sqlite3.OperationalError):
                    # the disk is full: the folder is still there to be scanned when there is room again
                    self._status.note_blocked(ledger_unwritable(self._ledger.folder, str(error)), logging.ERROR)
                    next_scan = time.monotonic() + _LEDGER_RETRY_SECONDS
                else:
                    log.warning("comparing the inbox with the ledger failed; trying again", exc_info=True)
                    next_scan = time.monotonic() + _ERROR_RETRY_SECONDS

    def _watch_is_stale(self) -> bool:
        with self._inbox_wait:
            return self._watch.watch_is_stale

    def handle(self, events: Sequence[FileEvent]) -> None:
        """Compare the files that a batch of events names; folders are compared later, one by one.

        For the reconciler's own thread, or before that is started.
        """
        is_flood = len(events) >= BATCH
        finished: dict[bytes, FoundFile] = {}
        written: set[bytes] = set()
        for event in events:
            if event.is_folder and event.kind == "attrib":
                # new rights, perhaps: no haste, and not for each file of a long copy
                self._events.scan_is_wanted = True
                continue
            if event.is_folder:
                self._folders.append(event)
                continue
            found = self._comparer.find_file(event.path)
            if found is None or (event.kind == "created" and found.version.size == 0):
                if found is None and event.kind == "closed":
                    self._events.note_written_and_gone(event.path)
                continue  # gone already, or about to be written: closing it brings another event
            if event.kind == "closed" or (event.moved_from is not None and self._events.was_written(event.moved_from)):
                written.add(found.path)
            if event.moved_from is not None and found.path not in written:
                arrivals = 0 if is_flood and event is not events[-1] else 1
                self._comparer.record_rename(event.moved_from, found, arrivals=arrivals)
            else:
                finished[found.path] = found
        arrivals = ARRIVALS_OF_A_FLOOD if is_flood else ARRIVALS
        self._comparer.observe(finished.values(), arrivals=arrivals, written=written)
        self._comparer.observe_links([finished[path] for path in written])

    def _handle_waiting_events(self) -> None:
        """Handle events while something long goes on, so that they need not wait for its end."""
        self.handle(self._events.take(until=0.0, rested=0.0))

    def compare_next_folder(self) -> None:
        """Compare the files of the first folder that waits for it, if any. For the same thread as `handle`."""
        if not self._folders:
            return
        event = self._folders.popleft()
        # gone again, or not to be read: the next scan of everything reports it
        with contextlib.suppress(OSError):
            if event.moved_from is not None:
                self._rename_files(event.moved_from, event.path)
            files = scan(self._inbox, folder=event.path)
            self._comparer.observe(files, arrivals=ARRIVALS_OF_A_FLOOD, after_batch=self._handle_waiting_events)

    def _rename_files(self, source: bytes, folder: bytes) -> None:
        """Note the new names of the files in a folder that the kernel reported as renamed. Raise OSError."""
        remaining = scan(self._inbox, folder=folder)
        while batch := self._comparer.take_batch(remaining):
            for file in batch:
                old_path = source + file.path[len(folder) :]
                if self._events.was_written(old_path):
                    self._comparer.observe([file], arrivals=1, written={file.path})
                else:
                    self._comparer.record_rename(old_path, file, arrivals=0)
            if self._events.is_closed:
                return
            self._handle_waiting_events()

    def _note_gone(self) -> None:
        """Note which of the files that the kernel reported as deleted or moved are gone, once renames are known."""
        gone = self._events.take_gone()
        check = AbsenceCheck(self._inbox)
        files = [path for path, is_folder in gone if not is_folder]
        for path, is_folder in gone:
            if is_folder:
                self._comparer.sweep(check.is_missing, path)
        for at in range(0, len(files), BATCH):
            self._comparer.note_left(check.is_missing, files[at : at + BATCH])

    def _scan_all(self) -> float:
        """Compare the whole inbox with the ledger; return seconds until the next scan."""
        self._events.scan_is_wanted = False
        with self._inbox_wait:
            self._watch.refresh()
        started = time.monotonic()
        errors = ScanErrors({})
        try:
            with self._inbox_wait:
                status = os.stat(self._inbox)
            found = scan(self._inbox, errors)
            files = self._comparer.observe(found, arrivals=0, after_batch=self._handle_waiting_events)
            self.inbox_identity = status.st_dev, status.st_ino
            if self._comparer.count_present() > files and not errors.folders:
                self._comparer.sweep(AbsenceCheck(self._inbox).has_left)
        except OSError as error:
            self._status.note_blocked(inbox_unreadable(self._inbox, error), logging.WARNING)
            return WITHOUT_EVENTS.shortest
        seconds = time.monotonic() - started
        with self._inbox_wait:
            links = select_links_out(self._inbox, errors.links)
            summary = summarise_links_out(self._inbox, links)
            self._status.note_links(links, summary, lambda path: describe_link_out(self._inbox, path))
            reasons = [describe_unreadable_folder(self._inbox, *error) for error in islice(errors.folders.items(), 3)]
        self._status.note_scan(files, seconds, "; ".join(reasons) or None)
        return (WITH_EVENTS if self._watch.covers_everything else WITHOUT_EVENTS).after(seconds)
