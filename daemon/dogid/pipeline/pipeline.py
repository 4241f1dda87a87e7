"""Workers, and the clerk who feeds them from the ledger and writes down what they found.

What is found is committed in groups, one transaction for all that is ready.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from dogid.ledger.database import is_damage
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Outcome
from dogid.pipeline.dispatcher import Dispatcher
from dogid.pipeline.outcome_buffer import Drained, OutcomeBuffer
from dogid.pipeline.worker_pool import Engine, WorkerPool
from dogid.system.malloc import trim_malloc

log = logging.getLogger(__name__)

_GROUP = 16  # results per worker
_GATHER_SECONDS = 0.25  # of a backlog's results into one commit: a commit costs as much for one as for many
_GATHER_ARRIVALS_SECONDS = 0.02  # while arrivals are in hand, for their results
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
        self._tray = OutcomeBuffer()
        self.workers = WorkerPool(engine, self._on_finished)
        self._photos = Dispatcher(ledger, self.workers)
        self._woken = True
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

    def wake(self, arrived: Sequence[int] = ()) -> None:
        """Tell the clerk that photos may have become pending, and of which somebody may be waiting for (ids)."""
        self._tray.wake(arrived)

    def _on_finished(self, outcome: Outcome) -> None:
        self._tray.lay(outcome, urgent=self._photos.is_urgent(outcome.job.id))

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
        return self._photos.in_hand

    def _run(self) -> None:
        """The clerk: refill the workers' queue, wait for what they finish, write it down."""
        while True:
            pause: float | None = None
            try:
                pause = self._refill()
                taken = self._take(pause)
                finished = taken.outcomes
                try:
                    finished += self.workers.give_up_late()
                    if not self._stopping.is_set():  # before results are written: arrivals do not wait for the disk
                        self._photos.welcome(taken.arrived, self._count)
                finally:
                    if finished:
                        self._write(finished)
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
        if self._photos.refill(self._count, woken=self._woken):
            self._woken = False
        waits = [] if wait_ms is None else [wait_ms / 1000]
        if self.in_flight:
            # a worker may take a photo, and so have a deadline, without telling the clerk
            waits.append(_DEADLINE_CHECK_SECONDS)
        return min(waits, default=None)

    def _take(self, timeout: float | None) -> Drained:
        """Wait for a worker or a wake-up; return all that has been finished by then, and who has arrived.

        A backlog's results wait for more, to make a group; those of new arrivals do not, nor the last ones.
        """
        # enough to be worth a commit, and not so many that an arrival waits long for it; or all that there is
        enough, gather = min(self.in_flight, self._count * _GROUP), _GATHER_SECONDS
        if self._photos.has_arrivals:  # their results are about to come, and shall not wait for others to be written
            enough, gather = self.in_flight, _GATHER_ARRIVALS_SECONDS
        taken = self._tray.take(enough, gather, timeout)
        self._woken |= taken.woken
        return taken

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes down, first those that somebody may be waiting for; tell of them, and give memory back."""
        urgent = [outcome for outcome in outcomes if self._photos.is_urgent(outcome.job.id)]
        others = [outcome for outcome in outcomes if not self._photos.is_urgent(outcome.job.id)]
        try:
            for part in (urgent, others):
                if part:
                    self._record(part)
        finally:
            # what could not be written is pending still, and handed out again
            self._photos.done({outcome.job.id for outcome in outcomes})
        self._rest(len(outcomes))

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes in one transaction, as soon as the disk lets us, and tell of them."""
        while True:
            try:
                written = self._ledger.record(outcomes)
                break
            except sqlite3.OperationalError as error:
                self._complain("results cannot be written", error)
                if self._stopping.wait(_DISK_RETRY_SECONDS):
                    return
        if self._trouble is not None:
            log.info("the ledger can be written again")
            self._trouble = None
        self._on_recorded(written)

    def _rest(self, finished: int) -> None:
        """Give memory back after a backlog."""
        self._in_a_row += finished
        if not self.in_flight:
            if self._in_a_row >= _BACKLOG:
                trim_malloc()
            self._in_a_row = 0

    def _complain(self, what: str, error: sqlite3.Error) -> None:
        """Tell of a trouble once, not every second while it lasts."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            log.error("%s, trying again: %s", what, error)
