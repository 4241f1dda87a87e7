"""Compares the inbox with the ledger: by scans always, at the kernel's events sooner.

The folder decides. An event that is lost, doubled, late or false can only change how soon a photo is seen.
"""

import contextlib
import dataclasses
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dogid.clock import Clock, iso_utc
from dogid.conditions import inbox_unreadable, ledger_unwritable
from dogid.daemon.ledger_thread import LedgerThread
from dogid.daemon.wait_clock import WaitClock
from dogid.daemon.watch_keeper import WatchKeeper
from dogid.file_names import one_line
from dogid.inbox.inbox_condition import describe_link_out, describe_unreadable_folder
from dogid.inbox.scan import FoundFile, ScanErrors, find_file, scan
from dogid.inbox.watch import FileEvent
from dogid.ledger.ledger import Ledger
from dogid.ledger.presence import AbsenceCheck
from dogid.status import WatchStatus

log = logging.getLogger(__name__)

# Raising this makes a new arrival wait longer for the batch before it; lowering it costs more transactions.
_BATCH = 100  # files that are compared in one transaction
# The newest files of a batch count as arrivals: they are classified first, since somebody may be waiting for them. The
# others are backlog. Raising these treats more of a backlog as urgent; lowering them lets somebody wait.
_ARRIVALS = 4
_ARRIVALS_OF_A_FLOOD = 1  # the same for a full batch: at that pace, nearly all files are backlog
# Raising this takes more memory and checks more files one by one; lowering it leaves a copy of many files to scans.
_MOST_EVENTS = 10_000  # more than these are cheaper to find by a scan
# Raising this delays finding that the inbox was replaced; lowering it wakes an idle machine more often.
_CHECK_SECONDS = 2.0  # how soon a stale watch is noticed where scans are far apart
# Raising this delays finding files whose events were lost; lowering it lets scans of a large inbox fill a core.
_MIN_IDLE_RATIO = 4  # pause after a scan before one that was requested at once, as a multiple of the scan's length
# Raising this counts deleted photos for longer; lowering it may take both halves of a rename for two events.
_GONE_SECONDS = 0.5
_MOST_LINKS = 20  # logged of one scan; raising it lets a folder of links fill the log, lowering it names fewer
_LEDGER_RETRY_SECONDS = 1.0  # shorter fills the log while a disk is full, longer delays the recovery
_ERROR_RETRY_SECONDS = 5.0  # after an unexpected error, which may come again at once


@dataclass(frozen=True, slots=True)
class ScanInterval:
    """How often to scan. A scan that takes t seconds comes every t / share seconds, within the bounds."""

    share: float
    """Of one core, at most."""
    shortest: float
    """Seconds between scans, at least."""
    longest: float

    def after(self, scan_seconds: float) -> float:
        """Given how long a scan took, return how long to wait until the next, in seconds."""
        return min(max(scan_seconds / self.share, self.shortest), self.longest)


# Raising the share, or lowering the bounds, finds files without an event sooner, at a higher cost while idle.
WITH_EVENTS = ScanInterval(share=0.0015, shortest=2.0, longest=600.0)
WITHOUT_EVENTS = ScanInterval(share=0.01, shortest=1.0, longest=60.0)


OnPending = Callable[[Sequence[int]], None]
"""Called when photos have become pending, with the ids of those that have just arrived: somebody may wait for them."""


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
        self._clock = clock
        self._links: frozenset[bytes] = frozenset()
        self._changed = threading.Condition()
        self._events: dict[bytes, FileEvent] = {}
        self._folders: deque[FileEvent] = deque()
        self._gone: dict[bytes, tuple[float, bool]] = {}
        self._written_and_gone: set[bytes] = set()
        self._scan_wanted = False
        self._stopping = False
        self._inbox_wait = inbox_wait
        self._ledger_wait = ledger_wait
        self.inbox_identity: tuple[int, int] | None = None
        """Device and inode of the inbox in the last scan; None before."""
        self._watch = WatchKeeper(inbox, self._on_event, self._on_events_lost)
        self._status = WatchStatus(*self._watch.explanation, None, None, 0, None)

    def start(self) -> None:
        """Start the watch and the thread."""
        self._watch.start()
        super().start()

    def request_stop(self) -> None:
        """Have the thread end after the batch that is being compared."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, deadline: float) -> None:
        """Wait for the thread to end, until deadline (a `time.monotonic()`) at most, and drop the watch."""
        super().join(deadline)
        self._watch.drop()

    @property
    def status(self) -> WatchStatus:
        """How the inbox is watched now."""
        mode, reason = self._watch.explanation
        return dataclasses.replace(self._status, mode=mode, reason=reason)

    def _run(self) -> None:
        begun = rested = next_scan = time.monotonic()
        while not self._stopping:
            try:
                until = 0.0 if self._folders else min(next_scan, time.monotonic() + _CHECK_SECONDS)
                self.handle(self._take_events(until, rested))
                self.compare_next_folder()
                self._note_gone()
                with self._ledger_wait:
                    self._ledger.note_foreign_changes()
                now = time.monotonic()
                if now >= next_scan or (self._scan_wanted and now >= rested) or self._watch_is_stale():
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
                    self._note_blocked(ledger_unwritable(self._ledger.folder, str(error)), logging.ERROR)
                    next_scan = time.monotonic() + _LEDGER_RETRY_SECONDS
                else:
                    log.warning("comparing the inbox with the ledger failed; trying again", exc_info=True)
                    next_scan = time.monotonic() + _ERROR_RETRY_SECONDS

    def _watch_is_stale(self) -> bool:
        with self._inbox_wait:
            return self._watch.watch_is_stale

    def _take_events(self, until: float, rested: float) -> list[FileEvent]:
        """Wait for events, at most until that monotonic time, and take them; a wanted scan waits until rested."""
        with self._changed:
            while not (self._events or self._stopping):
                left = (min(until, rested) if self._scan_wanted else until) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            # the newest of many: somebody may be waiting for it, while the others are a backlog
            newest = [self._events.popitem()[1] for _ in range(min(_BATCH, len(self._events)))]
        return newest[::-1]

    def _on_events_lost(self) -> None:
        with self._changed:
            self._scan_wanted = True
            self._changed.notify()

    def _on_event(self, event: FileEvent) -> None:
        with self._changed:
            if event.kind == "gone":
                self._gone[event.path] = time.monotonic(), event.is_folder
                if len(self._gone) > _MOST_EVENTS:
                    self._gone.clear()
                    self._scan_wanted = True
                return
            if event.moved_from is not None:
                self._gone.pop(event.moved_from, None)
            before = self._events.pop(event.path, None)
            self._events[event.path] = event if before is None else event.merged_with(before)
            if len(self._events) > _MOST_EVENTS:
                del self._events[next(iter(self._events))]  # the oldest
                self._scan_wanted = True
            self._changed.notify()

    def handle(self, events: Sequence[FileEvent]) -> None:
        """Compare the files that a batch of events names; folders are compared later, one by one.

        For the reconciler's own thread, or before that is started.
        """
        is_flood = len(events) >= _BATCH
        finished: dict[bytes, FoundFile] = {}
        written: set[bytes] = set()
        for event in events:
            if event.is_folder and event.kind == "attrib":
                self._scan_wanted = True  # new rights, perhaps: no haste, and not for each file of a long copy
                continue
            if event.is_folder:
                self._folders.append(event)
                continue
            found = self._find_file(event.path)
            if found is None or (event.kind == "created" and found.version.size == 0):
                if found is None and event.kind == "closed":
                    self._written_and_gone.add(event.path)
                continue  # gone already, or about to be written: closing it brings another event
            if event.kind == "closed" or (event.moved_from is not None and self._was_written(event.moved_from)):
                written.add(found.path)
            if event.moved_from is not None and found.path not in written:
                with self._ledger_wait:
                    renamed = self._ledger.record_rename(event.moved_from, found)
                self._notify_pending(renamed, arrivals=0 if is_flood and event is not events[-1] else 1)
            else:
                finished[found.path] = found
        arrivals = _ARRIVALS_OF_A_FLOOD if is_flood else _ARRIVALS
        self._observe(finished.values(), arrivals=arrivals, written=written)
        self._observe_links([finished[path] for path in written])

    def _find_file(self, path: bytes) -> FoundFile | None:
        with self._inbox_wait:
            return find_file(self._inbox, path)

    def _was_written(self, path: bytes) -> bool:
        """Whether a file that was renamed was written to before, which is not known to the ledger yet."""
        with self._changed:
            event = self._events.get(path)
        was_written = path in self._written_and_gone or (event is not None and event.kind == "closed")
        self._written_and_gone.discard(path)
        return was_written

    def _observe_links(self, written: Sequence[FoundFile]) -> None:
        """Compare the other names of files that were written to: the kernel reports the one that was used alone."""
        with self._ledger_wait:
            names = self._ledger.names_of_changed(written)
        links = {path: found for path in names if (found := self._find_file(path)) is not None}
        self._observe(links.values(), arrivals=_ARRIVALS_OF_A_FLOOD, written=links.keys())

    def compare_next_folder(self) -> None:
        """Compare the files of the first folder that waits for it, if any. For the same thread as `handle`."""
        if not self._folders:
            return
        event = self._folders.popleft()
        # gone again, or not to be read: the next scan of everything reports it
        with contextlib.suppress(OSError):
            if event.moved_from is not None:
                self._rename_files(event.moved_from, event.path)
            self._observe(scan(self._inbox, folder=event.path), arrivals=_ARRIVALS_OF_A_FLOOD, listen=True)

    def _rename_files(self, source: bytes, folder: bytes) -> None:
        """Note the new names of the files in a folder that the kernel reported as renamed. Raise OSError."""
        remaining = scan(self._inbox, folder=folder)
        while batch := self._take_batch(remaining):
            for file in batch:
                old_path = source + file.path[len(folder) :]
                if self._was_written(old_path):
                    self._observe([file], arrivals=1, written={file.path})
                else:
                    with self._ledger_wait:
                        renamed = self._ledger.record_rename(old_path, file)
                    self._notify_pending(renamed, arrivals=0)
            if self._stopping:
                return
            self.handle(self._take_events(until=0.0, rested=0.0))

    def _note_gone(self) -> None:
        """Note which of the files that the kernel reported as deleted or moved are gone, once renames are known."""
        with self._changed:
            until = time.monotonic() - _GONE_SECONDS
            gone = [(path, is_folder) for path, (at, is_folder) in self._gone.items() if at < until]
            for path, _ in gone:
                del self._gone[path]
                self._written_and_gone.discard(path)
        check = AbsenceCheck(self._inbox)
        files = [path for path, is_folder in gone if not is_folder]
        for path, is_folder in gone:
            if is_folder:
                self._sweep(check.is_missing, path)
        for at in range(0, len(files), _BATCH):
            self._note_left(check.is_missing, files[at : at + _BATCH])

    def _note_left(self, is_gone: Callable[[bytes], bool], paths: Sequence[bytes]) -> None:
        """Note the absence of those of a few files that are gone."""
        with self._inbox_wait:
            missing = [path for path in paths if is_gone(path)]
        with self._ledger_wait:
            self._ledger.note_left(missing)

    def _sweep(self, is_gone: Callable[[bytes], bool], folder: bytes = b"") -> None:
        """Note the absence of photos that the ledger believes to be in the inbox, or in a folder of it."""
        after = b""
        while (paths := self._present_paths(after, folder)) and not self._stopping:
            self._note_left(is_gone, paths)
            after = paths[-1]

    def _present_paths(self, after: bytes, folder: bytes) -> list[bytes]:
        with self._ledger_wait:
            return self._ledger.present_paths(after, _BATCH, folder)

    def _scan_all(self) -> float:
        """Compare the whole inbox with the ledger; return seconds until the next scan."""
        self._scan_wanted = False
        with self._inbox_wait:
            self._watch.refresh()
        started = time.monotonic()
        errors = ScanErrors({})
        try:
            with self._inbox_wait:
                status = os.stat(self._inbox)
            files = self._observe(scan(self._inbox, errors), arrivals=0, listen=True)
            self.inbox_identity = status.st_dev, status.st_ino
            with self._ledger_wait:
                present = self._ledger.count_present()
            if not errors.folders and present > files:
                self._sweep(AbsenceCheck(self._inbox).has_left)
        except OSError as error:
            self._note_blocked(inbox_unreadable(self._inbox, error), logging.WARNING)
            return WITHOUT_EVENTS.shortest
        self._log_new_links(errors.links)
        seconds = time.monotonic() - started
        with self._inbox_wait:
            reasons = [describe_unreadable_folder(self._inbox, *error) for error in islice(errors.folders.items(), 3)]
        self._note_scan(files, seconds, "; ".join(reasons) or None)
        return (WITH_EVENTS if self._watch.covers_everything else WITHOUT_EVENTS).after(seconds)

    def _log_new_links(self, links: Sequence[bytes]) -> None:
        """Log the links out of the inbox, of those that a scan left out and the scan before did not meet."""
        new = [path for path in links if path not in self._links]
        self._links = frozenset(links)
        with self._inbox_wait:
            problems = [problem for path in new if (problem := describe_link_out(self._inbox, path))]
        for problem in problems[:_MOST_LINKS]:
            log.warning("%s", one_line(problem))
        if len(problems) > _MOST_LINKS:
            log.warning("%d more links lead out of the inbox: dogid check", len(problems) - _MOST_LINKS)

    def _observe(
        self,
        files: Iterable[FoundFile],
        *,
        arrivals: int,
        listen: bool = False,
        written: Collection[bytes] = (),
    ) -> int:
        """Compare files with the ledger, in batches so that the first are classified while others are read.

        arrivals: how many of each batch, at its end, have just arrived; 0 for files found by a scan alone.
        written: the paths of those that were closed after writing.
        listen: handle events between the batches, so that they need not wait for the last one.
        Return how many files there were.
        """
        count = 0
        remaining = iter(files)
        while batch := self._take_batch(remaining):
            count += len(batch)
            with self._ledger_wait:
                pending = self._ledger.observe(batch, wake=arrivals > 0, written=written)
            self._notify_pending(pending, arrivals=arrivals)
            if self._stopping:
                break
            if listen:
                self.handle(self._take_events(until=0.0, rested=0.0))
        return count

    def _take_batch(self, files: Iterator[FoundFile]) -> list[FoundFile]:
        """Return the next files of a scan, which looks for them meanwhile."""
        with self._inbox_wait:
            return list(islice(files, _BATCH))

    def _notify_pending(self, pending: Sequence[int], *, arrivals: int) -> None:
        """Report photos that have become pending, of which the last `arrivals` have just arrived."""
        if pending:
            self._on_pending(pending[-arrivals:] if arrivals else ())

    def _note_scan(self, files: int, seconds: float | None, problem: str | None) -> None:
        """Note a scan that reached its end, with the folders that it could not read."""
        self._log_change(problem, logging.WARNING)
        ended = iso_utc(self._clock.wall_ms())
        self._status = dataclasses.replace(
            self._status,
            last_scan=ended, last_scan_seconds=seconds, files=files, problem=problem, blocked_since=None,
        )  # fmt: skip

    def _note_blocked(self, problem: str, level: int) -> None:
        """Note that no photo can be found or recorded."""
        self._log_change(problem, level)
        since = time.monotonic() if self._status.blocked_since is None else self._status.blocked_since
        self._status = dataclasses.replace(self._status, last_scan_seconds=None, problem=problem, blocked_since=since)

    def _log_change(self, problem: str | None, level: int) -> None:
        before = self._status.problem
        if problem and problem != before:
            log.log(level, "%s", one_line(problem))
        elif before and not problem:
            log.info("solved: %s", one_line(before))
