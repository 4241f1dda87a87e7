"""Workers, and the clerk who feeds them from the ledger and writes down what they found.

The backlog stays in the ledger: only a few jobs per worker are in memory. What is found is committed in groups, one
transaction for all that is ready.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from dogid.ledger.database import is_damage
from dogid.ledger.ledger import Ledger
from dogid.ledger.records import Job, Outcome
from dogid.memory import give_back
from dogid.tray import Tray
from dogid.workers import Engine, WorkerPool

log = logging.getLogger(__name__)

_JOBS_AHEAD = 64  # per worker: enough to work on while results are gathered and a slow disk takes a commit
_GATHER_SECONDS = 0.25  # of a backlog's results into one commit: a commit costs as much for one as for many
_FRESH = 2  # new arrivals per worker that are told at once, each; more of them at a time are a backlog
_OLDEST_EVERY = 8  # one photo in so many is taken from the old end of the backlog
_AT_ONCE = -(1 << 62)  # before every photo
_BACKLOG = 16  # photos in a row, after which memory is worth giving back
_DISK_RETRY_SECONDS = 1.0
_DEADLINE_CHECK_SECONDS = 0.5

OnRecorded = Callable[[Sequence[Outcome]], None]
"""Told of outcomes once they are on disk."""


class Pipeline:
    """The threads that turn pending photos into results."""

    def __init__(self, ledger: Ledger, engine: Engine, *, workers: int, on_recorded: OnRecorded) -> None:
        self._ledger = ledger
        self._count = workers
        self._on_recorded = on_recorded
        self._tray = Tray()
        self.workers = WorkerPool(engine, self._on_finished)
        self._taken: set[int] = set()
        self._urgent: set[int] = set()
        self._oldest: set[int] = set()
        self._newest = 0
        self._woken = True
        self._claims = 0
        self._in_a_row = 0
        self._trouble: str | None = None
        self._stopping = threading.Event()
        self._workers_are_done = threading.Event()
        self._clerk = threading.Thread(target=self._run, name="clerk", daemon=True)

    def start(self) -> int:
        """Start the workers and the clerk; return the round of proofs that each worker holds before its first photo."""
        number = self.workers.want_proofs()
        self.workers.resize(self._count)
        self._clerk.start()
        return number

    def try_out(self, engine: Engine, workers: int, timeout: float) -> str | None:
        """Have as many workers as `adopt` will want prove another engine; return what is amiss, or None.

        Photos go on by the present engine meanwhile, and, where something is amiss, by as many workers as before.
        """
        self.workers.resize(max(workers, self._count))
        amiss = self.workers.try_out(engine, timeout)
        if amiss is not None:
            self.workers.resize(self._count)
        return amiss

    def adopt(self, engine: Engine, workers: int) -> int:
        """Work by another engine from the next photos on, with so many workers; return the round that proves it."""
        self._count = workers
        self.workers.resize(workers)
        number = self.workers.adopt(engine)
        self.wake()
        return number

    @property
    def is_alive(self) -> bool:
        """Whether results are still written down."""
        return self._clerk.is_alive()

    def wake(self) -> None:
        """Tell the clerk that photos may have become pending."""
        self._tray.wake()

    def _on_finished(self, outcome: Outcome) -> None:
        self._tray.lay(outcome, urgent=outcome.job.id in self._urgent)

    def stop(self, timeout: float) -> None:
        """Finish the photos that are being worked on, write them down, and stop. Pending ones stay in the ledger."""
        self._stopping.set()
        ends = time.monotonic() + timeout
        self.workers.stop(ends)
        self._workers_are_done.set()
        self.wake()
        self._clerk.join(max(0.1, ends - time.monotonic()))

    @property
    def in_flight(self) -> int:
        """How many photos have been handed out and are not on disk yet."""
        return len(self._taken)

    def _run(self) -> None:
        """The clerk: refill the workers' queue, wait for what they finish, write it down."""
        while True:
            pause: float | None = None
            try:
                pause = self._refill()
                finished = self._collect(pause)
                if finished:
                    self._write(finished)
                    self._rest(len(finished))
                if self._workers_are_done.is_set() and self._tray.is_empty:
                    return
            except sqlite3.OperationalError as error:
                # the disk is full, or another program holds the database: nothing is lost, the folder is still there
                self._complain("the ledger cannot be written", error)
                if self._stopping.wait(_DISK_RETRY_SECONDS):
                    return
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    log.warning("results met with an error; their photos are worked on again", exc_info=True)
                    if self._stopping.wait(_DISK_RETRY_SECONDS):
                        return
                    continue
                self._ledger.suspect_damage()
                log.critical("the ledger is damaged; at the next start it is moved aside and made anew")
                raise  # the clerk's end is noticed: the health check fails, and systemd starts the daemon anew
            except Exception:
                log.warning("results met with an error; their photos are worked on again", exc_info=True)
                if self._stopping.wait(_DISK_RETRY_SECONDS):
                    return

    def _refill(self) -> float | None:
        """Hand out due photos; return how long to wait at most for the next thing to do, in seconds."""
        if self._stopping.is_set():
            return None
        wait_ms = self._ledger.wake_due()
        most = self._count * _JOBS_AHEAD
        room = most - len(self._taken)
        if self._woken:
            # new arrivals do not wait for room: it comes only with the next results, in groups
            room = max(room, min(self._count, room + most))
        if room >= most // 4 or (self._woken and room > 0):  # a look costs as much as writing some results
            self._woken = False
            self._hand_out(room)
        waits = [] if wait_ms is None else [wait_ms / 1000]
        if self._taken:
            # a worker may take a photo, and so have a deadline, without telling the clerk
            waits.append(_DEADLINE_CHECK_SECONDS)
        return min(waits, default=None)

    def _hand_out(self, room: int) -> None:
        """Put up to room photos into the workers' queue: newest first, but now and then the oldest."""
        jobs = self._ledger.claim(room, self._taken)
        self._claims += len(jobs)
        # a steady stream of arrivals must not starve the backlog, neither in the ledger nor in the queue
        turns = [at for at in range(len(jobs)) if (self._claims - at) % _OLDEST_EVERY == 0]
        # but as many as there are workers, and no more, may lie before an arrival
        turns = turns[: max(0, self._count - len(self._oldest & self._taken))]
        if turns:
            self._oldest &= self._taken
            for oldest in self._ledger.claim(len(turns), self._taken, oldest=True):
                self._oldest.add(oldest.id)
                self._put(oldest, _AT_ONCE + self._claims)
        fresh = {job.id for job in jobs if job.id > self._newest}
        if len(fresh) <= self._count * _FRESH:
            self._urgent |= fresh
        for at, job in enumerate(jobs):
            if at not in turns and job.id not in self._taken:
                self._put(job, -job.id)
        self._newest = max([self._newest, *(job.id for job in jobs)])

    def _put(self, job: Job, order: int) -> None:
        self._taken.add(job.id)
        self.workers.put(order, job)

    def _collect(self, timeout: float | None) -> list[Outcome]:
        """Wait for a worker or a wake-up; return all that has been finished by then.

        A backlog's results wait for more, to make a group; those of new arrivals do not, nor the last ones.
        """
        # when half of what was handed out is there, or all of it, the workers will soon want more
        enough = min(len(self._taken), self._count * _JOBS_AHEAD // 2)
        finished, woken = self._tray.take(enough, _GATHER_SECONDS, timeout)
        self._woken |= woken
        return finished + self.workers.give_up_late()

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        try:
            while True:
                try:
                    written = self._ledger.record(outcomes)
                    break
                except sqlite3.OperationalError as error:
                    self._complain("results cannot be written", error)
                    if self._stopping.wait(_DISK_RETRY_SECONDS):
                        return
        finally:
            done = {outcome.job.id for outcome in outcomes}
            self._taken -= done
            self._urgent -= done
        if self._trouble is not None:
            log.info("the ledger can be written again")
            self._trouble = None
        self._on_recorded(written)

    def _rest(self, finished: int) -> None:
        """Give memory back after a backlog."""
        self._in_a_row += finished
        if not self._taken:
            if self._in_a_row >= _BACKLOG:
                give_back()
            self._in_a_row = 0

    def _complain(self, what: str, error: sqlite3.Error) -> None:
        """Tell of a trouble once, not every second while it lasts."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            log.error("%s, trying again: %s", what, error)
