"""The workers, and the coordinator thread that feeds them from the ledger and records their outcomes.

Outcomes are committed in groups, one transaction for all that are ready.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from dogid.errors import DogidError
from dogid.ledger.damage import is_damage
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Outcome
from dogid.pipeline.dispatcher import Dispatcher
from dogid.pipeline.engine import Engine
from dogid.pipeline.job_queue import JobQueue
from dogid.pipeline.mailbox import Mailbox, Messages
from dogid.pipeline.worker_checks import WorkerChecks
from dogid.pipeline.worker_pool import WorkerPool
from dogid.system.malloc import trim_malloc

log = logging.getLogger(__name__)

# A commit costs as much for one result as for many. Raising these makes an arrival wait longer behind a commit, and a
# crash repeat more work; lowering them makes a backlog slower.
_GROUP = 16  # results per worker that are enough for a commit
_GATHER_SECONDS = 0.25  # for which a backlog's results wait for more
# Raising this delays each arrival's result; lowering it commits results that come together one by one.
_GATHER_ARRIVALS_SECONDS = 0.02  # the same while results of arrivals are expected
_BACKLOG = 16  # photos in a row after which memory is returned; lowering it costs time, raising it keeps memory
_DISK_RETRY_SECONDS = 1.0  # lowering this costs CPU time while a disk is full; raising it delays the recovery
# While the ledger fails, SQLite waits for another program's lock between two checks of deadlines. A longer gap than
# this counts as a suspended process, as one of LONGEST_GAP_SECONDS does otherwise. Raising it fails photos after a
# suspension of that length; lowering it puts deadlines off during such a wait.
_LONGEST_RETRY_GAP_SECONDS = 15.0
_DEADLINE_CHECK_SECONDS = 0.5  # lowering this costs CPU time; raising it lets a worker hang for longer

OnRecorded = Callable[[Sequence[Outcome]], None]
"""Called with outcomes once they are on disk."""


class Pipeline:
    """The threads that turn pending photos into results."""

    def __init__(self, ledger: Ledger, engine: Engine, *, workers: int, on_recorded: OnRecorded) -> None:
        self._ledger = ledger
        self._in_progress = engine.processor.in_progress
        self._count = workers
        self._has_all_workers = False
        self._on_recorded = on_recorded
        self.mailbox = Mailbox()
        jobs = JobQueue()
        self._checks = WorkerChecks(engine, jobs)
        self._workers = WorkerPool(jobs, self._checks, self._on_finished)
        self._dispatcher = Dispatcher(ledger, jobs)
        self._woken = True
        self._in_a_row = 0
        self._ledger_error: str | None = None
        self._stopping = threading.Event()
        self._workers_are_done = threading.Event()
        self._coordinator = threading.Thread(target=self._coordinate, name="coordinator", daemon=True)

    def start(self) -> int:
        """Start the workers and the coordinator; return the health round that each worker passes before a photo.

        Raise DogidError where the machine gives no threads for all workers.
        """
        number = self._checks.start_round()
        self._workers.resize(self._allowed(self._count))
        self._coordinator.start()
        return number

    def validate_engine(self, engine: Engine, workers: int, timeout: float) -> str | None:
        """Have as many workers as `switch_engine` will want try another engine; return the problem, or None.

        Photos go on by the present engine meanwhile, and, where there is a problem, by as many workers as before.
        Raise DogidError where the machine gives no threads for that many.
        """
        self._workers.resize(self._allowed(max(workers, self._count)))
        problem = self._checks.validate_engine(engine, timeout)
        if problem is not None:
            self._workers.resize(self._allowed(self._count))
        return problem

    def forget_engine(self) -> None:
        """Free what `validate_engine` has made of an engine that is not switched to."""
        self._checks.forget_trial()
        with contextlib.suppress(DogidError):  # where the machine has no thread even for those: they are missing
            self._workers.resize(self._allowed(self._count))

    def switch_engine(self, engine: Engine, workers: int) -> None:
        """Use another engine from the next photos on, with this many workers. Raise DogidError as `validate_engine`."""
        try:
            self._workers.resize(self._allowed(workers))
        except DogidError:
            self.forget_engine()
            raise
        self._count = workers
        self._checks.switch_engine(engine)
        self.mailbox.notify_pending()

    def start_health_round(self) -> int:
        """Ask every worker to classify the reference photo; return the number of this round."""
        self._workers.start_missing()
        return self._checks.start_round()

    def wait_for_health_round(self, number: int, timeout: float) -> str | None:
        """Wait until every worker has passed a round, at most timeout seconds; return the first problem, or None."""
        problem = self._checks.wait_for_round(number, timeout)
        return self._workers.problem() or problem

    @property
    def is_alive(self) -> bool:
        """Whether results are still recorded."""
        return self._coordinator.is_alive()

    @property
    def in_flight(self) -> int:
        """How many photos have been given to workers and are not on disk yet."""
        return self._dispatcher.in_flight

    @property
    def reading_since(self) -> float | None:
        """Since when a worker has been reading one file, in monotonic seconds; None where none is reading."""
        return self._workers.reading_since

    def stop(self, timeout: float) -> None:
        """Finish the photos that are being classified, record them, and stop. Pending ones stay in the ledger."""
        self._stopping.set()
        deadline = time.monotonic() + timeout
        self._workers.stop(deadline)
        self._workers_are_done.set()
        self.mailbox.notify_pending()
        self._coordinator.join(max(0.1, deadline - time.monotonic()))

    def _on_finished(self, outcome: Outcome) -> None:
        self.mailbox.add_outcome(outcome, urgent=self._dispatcher.is_urgent(outcome.job.id))

    def _coordinate(self) -> None:
        """The coordinator thread: dispatch pending photos, wait for outcomes, record them."""
        while True:
            try:
                messages = self._wait_for_messages(self._refill())
                try:
                    self._workers.fail_timed_out()
                    if not self._stopping.is_set():  # before results are written: arrivals do not wait for the disk
                        self._dispatcher.dispatch_arrivals(messages.arrived, self._count)
                finally:
                    if messages.outcomes:
                        self._record_all(messages.outcomes)
                if self._workers_are_done.is_set() and not self.mailbox.has_outcomes:
                    return
            except Exception as error:
                if self._ledger.repairer.repair_after(error):
                    self._woken = True
                    continue
                if self._ledger.repairer.is_damaged:
                    return  # so the health check fails, and systemd restarts the daemon
                if isinstance(error, sqlite3.OperationalError):
                    # the disk is full, or another program holds the database: nothing is lost, the folder is there
                    self._log_once("the ledger cannot be written", error)
                else:
                    log.warning("results could not be recorded; their photos are classified again", exc_info=True)
                if self._wait_before_retry():
                    return

    def _allowed(self, workers: int) -> int:
        """Return how many workers there may be: one while photos that may have killed the daemon are to be tried."""
        self._has_all_workers = not self._in_progress.untried
        return workers if self._has_all_workers else 1

    def _restore_workers(self) -> None:
        """Start all workers once there is no suspect left."""
        untried = tuple(self._in_progress.untried)
        if untried and not self.in_flight:
            self._in_progress.acquit(set(untried) - set(self._ledger.pending_among(untried)))  # those that have left
        if self._in_progress.untried:
            return
        try:
            self._workers.resize(self._allowed(self._count))
        except DogidError as error:
            log.warning("%s", error)

    def _refill(self) -> float | None:
        """Dispatch due photos; return how long to wait at most for the next thing to do, in seconds."""
        if self._stopping.is_set():
            return None
        if not self._has_all_workers:
            self._restore_workers()
        wait_ms = self._ledger.wake_due()
        if self._dispatcher.refill(self._count, woken=self._woken):
            self._woken = False
        waits = [] if wait_ms is None else [wait_ms / 1000]
        if self.in_flight:
            # a worker may take a photo, and so have a deadline, without a message to the coordinator
            waits.append(_DEADLINE_CHECK_SECONDS)
        return min(waits, default=None)

    def _wait_for_messages(self, timeout: float | None) -> Messages:
        """Wait for outcomes or a wake-up; return all messages.

        A backlog's results wait for more, to make a group; those of new arrivals do not, nor the last ones.
        """
        # enough to be worth a commit, and not so many that an arrival waits long for it; or all that there is
        enough, gather = min(self.in_flight, self._count * _GROUP), _GATHER_SECONDS
        if self._dispatcher.expects_arrivals:  # their results shall not wait for others to be written
            enough, gather = self.in_flight, _GATHER_ARRIVALS_SECONDS
        messages = self.mailbox.drain(enough, gather, timeout)
        self._woken |= messages.woken
        return messages

    def _record_all(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes, first those that somebody may be waiting for, and give memory back after a backlog."""
        urgent = [outcome for outcome in outcomes if self._dispatcher.is_urgent(outcome.job.id)]
        others = [outcome for outcome in outcomes if not self._dispatcher.is_urgent(outcome.job.id)]
        try:
            for group in (urgent, others):
                if group:
                    self._record_group(group)
        finally:
            # what could not be recorded is pending still, and dispatched again
            self._dispatcher.release({outcome.job.id for outcome in outcomes})
        self._trim_memory(len(outcomes))

    def _record_group(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes in one transaction, as soon as the disk allows it, and report them."""
        while True:
            try:
                recorded = self._ledger.record(outcomes)
                break
            except sqlite3.OperationalError as error:
                if is_damage(error):
                    raise
                self._log_once("results cannot be written", error)
                if self._wait_before_retry():
                    return
        if self._ledger_error is not None:
            log.info("the ledger can be written again")
            self._ledger_error = None
        self._on_recorded(recorded)

    def _wait_before_retry(self) -> bool:
        """Wait for a while after an error; return whether the pipeline is stopping. Workers may hang meanwhile, too."""
        self._workers.fail_timed_out(_LONGEST_RETRY_GAP_SECONDS)
        return self._stopping.wait(_DISK_RETRY_SECONDS)

    def _trim_memory(self, finished: int) -> None:
        """Give memory back after a backlog."""
        self._in_a_row += finished
        if not self.in_flight:
            if self._in_a_row >= _BACKLOG:
                trim_malloc()
            self._in_a_row = 0

    def _log_once(self, what: str, error: sqlite3.Error) -> None:
        """Log an error of the ledger once, not every second while it lasts."""
        if str(error) != self._ledger_error:
            self._ledger_error = str(error)
            log.error("%s, trying again: %s", what, error)
