"""Keeps the ledger true to the folder: by scans always, by the kernel's wake-ups sooner.

The folder is the truth. A wake-up that is lost, doubled, late or false can only change how soon a photo is seen.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dogid.clock import Clock, iso_utc
from dogid.file_names import shown_name
from dogid.inbox.mounts import file_system_type, is_remote, mounts_inside
from dogid.inbox.scan import FoundFile, ScanErrors, find_file, scan
from dogid.inbox.watch import FileEvent, Watch, explain_watch_error
from dogid.ledger.ledger import Ledger
from dogid.status import WatchStatus

log = logging.getLogger(__name__)

_BATCH = 100  # files that are compared in one transaction, for which a new arrival waits
_ARRIVALS = 4  # the newest of a batch, for which somebody may be waiting; before them came a backlog
_ARRIVALS_OF_A_FLOOD = 1  # of a full batch: what else came at that pace is a backlog, too
_MOST_WAKEUPS = 10_000  # more than these are cheaper to find by a scan
_CHECK_SECONDS = 2.0  # how soon a replaced folder is noticed where scans are far apart
_BREATH = 4  # scans that are wanted at once leave so many times their own length between them
_LAY_AGAIN_SECONDS = 60.0  # for the folders that could not be watched


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often to scan. A scan that takes t seconds comes every t / share seconds, within the bounds."""

    share: float
    """Of one core, at most."""
    shortest: float
    """Seconds between scans, at least."""
    longest: float

    def pause(self, scan_seconds: float) -> float:
        """Given how long a scan took, return how long to wait until the next."""
        return min(max(scan_seconds / self.share, self.shortest), self.longest)


WITH_EVENTS = Rhythm(share=0.0015, shortest=2.0, longest=600.0)
WITHOUT_EVENTS = Rhythm(share=0.01, shortest=1.0, longest=60.0)


OnPending = Callable[[Sequence[int]], None]
"""Told that photos have become pending, and of which the kernel has told: those that somebody may be waiting for."""


class Reconciler:
    """The thread that watches the inbox."""

    def __init__(self, inbox: Path, ledger: Ledger, on_pending: OnPending, clock: Clock) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._on_pending = on_pending
        self._clock = clock
        self._changed = threading.Condition()
        self._wakeups: dict[bytes, FileEvent] = {}
        self._folders: deque[bytes] = deque()
        self._scan_wanted = False
        self._stopping = False
        self._watch: Watch | None = None
        self._laid = 0.0
        self._remote_inside: str | None = None
        self._warned: str | None = None
        self._status = WatchStatus("scan", "not watched yet", None, None, 0, None)
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Lay the watch, and begin to look."""
        self._lay_watch()
        self._thread.start()

    def stop(self) -> None:
        """Have it stop looking, after the batch that is being compared."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, ends: float) -> None:
        """Wait for its end, until the monotonic time ends, and drop the watch."""
        self._thread.join(max(0.0, ends - time.monotonic()))
        self._drop_watch()

    @property
    def is_alive(self) -> bool:
        """Whether the thread lives: it ends only by `stop`."""
        return self._thread.is_alive()

    @property
    def status(self) -> WatchStatus:
        """How the inbox is watched now."""
        return self._status

    def _run(self) -> None:
        begun = rested = next_scan = time.monotonic()
        while not self._stopping:
            try:
                patience = 0.0 if self._folders else min(next_scan, time.monotonic() + _CHECK_SECONDS)
                self._handle(self._take_wakeups(patience, rested))
                self._compare_next_folder()
                now = time.monotonic()
                if now >= next_scan or (self._scan_wanted and now >= rested) or self._is_deaf():
                    begun = time.monotonic()
                    pause = self._scan_all()
                    ended = time.monotonic()
                    next_scan, rested = ended + pause, ended + _BREATH * (ended - begun)
            except sqlite3.OperationalError as error:
                # the disk is full: the folder is still there to be scanned when there is room again
                self._complain(f"the ledger cannot be written, trying again: {error}")
                next_scan = time.monotonic() + 1.0
            except Exception:
                log.warning("watching the inbox met with an error; it goes on", exc_info=True)
                next_scan = time.monotonic() + 5.0

    def _take_wakeups(self, until: float, rested: float) -> list[FileEvent]:
        """Wait for wake-ups, at most until that monotonic time, and take them; a wanted scan waits until rested."""
        with self._changed:
            while not (self._wakeups or self._stopping):
                left = (min(until, rested) if self._scan_wanted else until) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            # the newest of many: somebody may be waiting for it, while the others are a backlog
            newest = [self._wakeups.popitem()[1] for _ in range(min(_BATCH, len(self._wakeups)))]
        return newest[::-1]

    def _is_deaf(self) -> bool:
        return self._watch is not None and self._watch.is_stale()

    def _on_events_lost(self) -> None:
        with self._changed:
            self._scan_wanted = True
            self._changed.notify()

    def _on_event(self, wakeup: FileEvent) -> None:
        with self._changed:
            before = self._wakeups.pop(wakeup.path, None)
            self._wakeups[wakeup.path] = wakeup if before is None else wakeup.merged_with(before)
            if len(self._wakeups) > _MOST_WAKEUPS:
                del self._wakeups[next(iter(self._wakeups))]  # the oldest
                self._scan_wanted = True
            self._changed.notify()

    def _handle(self, wakeups: Sequence[FileEvent]) -> None:
        """Look at the files that wake-ups tell of; folders are compared later, one by one."""
        is_flood = len(wakeups) >= _BATCH
        finished: dict[bytes, FoundFile] = {}
        for wakeup in wakeups:
            if wakeup.is_folder and wakeup.kind == "attrib":
                self._scan_wanted = True  # new rights, perhaps: no haste, and not for each file of a long copy
                continue
            if wakeup.is_folder:
                self._folders.append(wakeup.path)
                continue
            found = find_file(self._inbox, wakeup.path)
            if found is None or (wakeup.kind == "created" and found.version.size == 0):
                continue  # gone already, or about to be written: closing it will wake us again
            if wakeup.moved_from is not None:
                renamed = self._ledger.moved(wakeup.moved_from, found)
                self._notify(renamed, arrivals=0 if is_flood and wakeup is not wakeups[-1] else 1)
            else:
                finished[found.path] = found
        self._observe(finished.values(), arrivals=_ARRIVALS_OF_A_FLOOD if is_flood else _ARRIVALS)

    def _compare_next_folder(self) -> None:
        if not self._folders:
            return
        # gone again, or not to be read: the next scan of everything tells
        with contextlib.suppress(OSError):
            self._observe(scan(self._inbox, folder=self._folders.popleft()), arrivals=_ARRIVALS_OF_A_FLOOD, listen=True)

    def _scan_all(self) -> float:
        """Compare the whole inbox with the ledger; return seconds until the next scan."""
        self._scan_wanted = False
        self._keep_watch()
        started = time.monotonic()
        problem = ScanErrors({})
        try:
            files = self._observe(scan(self._inbox, problem), arrivals=0, listen=True)
        except OSError as error:
            self._note_scan(0, None, f"{self._inbox}: {error.strerror}")
            return WITHOUT_EVENTS.shortest
        seconds = time.monotonic() - started
        reasons = [f"{shown_name(folder)}: {reason}" for folder, reason in problem.folders.items()]
        self._note_scan(files, seconds, "; ".join(reasons[:3]) or None)
        if self._watch is None or self._watch.folder_error or self._remote_inside:
            return WITHOUT_EVENTS.pause(seconds)
        return WITH_EVENTS.pause(seconds)

    def _observe(self, files: Iterable[FoundFile], *, arrivals: int, listen: bool = False) -> int:
        """Bring files to the ledger's notice, in batches so that the first are worked on while others are read.

        The kernel has told of the files where some of each batch (the last so many) are arrivals. With listen, what
        arrives meanwhile does not wait for the end.
        """
        count = 0
        remaining = iter(files)
        while batch := list(islice(remaining, _BATCH)):
            count += len(batch)
            self._notify(self._ledger.observe(batch, wake=arrivals > 0), arrivals=arrivals)
            if self._stopping:
                break
            if listen:
                self._handle(self._take_wakeups(until=0.0, rested=0.0))
        return count

    def _notify(self, pending: Sequence[int], *, arrivals: int) -> None:
        """Tell of what became pending; the last ones, so many, have just arrived."""
        if pending:
            self._on_pending(pending[-arrivals:] if arrivals else ())

    def _note_scan(self, files: int, seconds: float | None, problem: str | None) -> None:
        if problem and problem != self._status.problem:
            log.warning("the inbox cannot be read in full: %s", problem)
        elif self._status.problem and not problem:
            log.info("the inbox can be read again")
        mode, reason = self._status.mode, self._status.reason
        self._status = WatchStatus(mode, reason, iso_utc(self._clock.wall_ms()), seconds, files, problem)

    def _keep_watch(self) -> None:
        """Lay the watch anew where the folder was replaced or remounted, or the watching thread died."""
        if self._is_deaf():
            log.warning("the inbox was replaced or remounted; watching it anew")
            self._drop_watch()
        if self._watch is not None and self._watch.folder_error and time.monotonic() > self._laid + _LAY_AGAIN_SECONDS:
            self._drop_watch()
        if self._watch is None:
            self._lay_watch()
        else:
            self._explain_watch(self._watch)  # folders may have come that could not be watched

    def _lay_watch(self) -> None:
        kind = file_system_type(self._inbox)
        if is_remote(kind):
            self._explain_mode("scan", f"{kind} does not tell of changes made elsewhere")
            return
        self._laid = time.monotonic()
        try:
            self._watch = Watch(self._inbox, self._on_event, self._on_events_lost)
        except OSError as error:
            reason = explain_watch_error(error)
            self._explain_mode("scan", reason)
            self._warn_once(f"watching by scans only: {reason}")
        else:
            self._explain_watch(self._watch)

    def _explain_watch(self, watch: Watch) -> None:
        reason = f"inotify on {file_system_type(self._inbox)}"
        kinds = {mount.type for mount in mounts_inside(self._inbox) if is_remote(mount.type)}
        self._remote_inside = ", ".join(sorted(kinds)) or None
        if self._remote_inside:
            reason += f"; by scans on {self._remote_inside} inside it"
        if watch.folder_error:
            reason += f"; by scans in folders that cannot be watched: {explain_watch_error(watch.folder_error)}"
            self._warn_once(f"watching some folders by scans only: {explain_watch_error(watch.folder_error)}")
        self._explain_mode("events", reason)

    def _warn_once(self, warning: str) -> None:
        if warning != self._warned:
            self._warned = warning
            log.warning("%s", warning)

    def _complain(self, problem: str) -> None:
        if problem != self._status.problem:
            log.error("%s", problem)
        old = self._status
        self._status = WatchStatus(old.mode, old.reason, old.last_scan, old.last_scan_seconds, old.files, problem)

    def _drop_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def _explain_mode(self, mode: str, reason: str) -> None:
        old = self._status
        self._status = WatchStatus(mode, reason, old.last_scan, old.last_scan_seconds, old.files, old.problem)
