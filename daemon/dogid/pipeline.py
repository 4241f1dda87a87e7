"""Workers, and the clerk who feeds them from the ledger and writes down what they found.

The backlog stays in the ledger: only a few jobs per worker are in memory. What is found is committed in groups, one
transaction for all that is ready. A worker that does not come back is given up and replaced.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dogid.errors import PhotoCode
from dogid.ledger.ledger import Ledger
from dogid.ledger.records import Failed, Job, Outcome
from dogid.model.classifier import Classifier, Model
from dogid.worker import Work

log = logging.getLogger(__name__)

_JOBS_AHEAD = 8  # per worker: enough to work on while a slow card takes a commit
_OLDEST_EVERY = 8  # one claim in so many takes from the old end of the backlog
_DISK_RETRY_SECONDS = 1.0

OnRecorded = Callable[[Sequence[Outcome]], None]
"""Told of outcomes once they are on disk."""


@dataclass(slots=True)
class _Worker:
    """A worker thread as the clerk sees it."""

    number: int
    job: Job | None = None
    deadline: float = 0.0
    given_up: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class _Finished:
    worker: _Worker
    outcome: Outcome


class Pipeline:
    """The threads that turn pending photos into results."""

    def __init__(
        self, ledger: Ledger, model: Model, work: Work, *, workers: int, decode_timeout: float, on_recorded: OnRecorded
    ) -> None:
        self._ledger = ledger
        self._model = model
        self._work = work
        self._count = workers
        self._decode_timeout = decode_timeout
        self._on_recorded = on_recorded
        self._jobs: queue.PriorityQueue[tuple[int, Job | None]] = queue.PriorityQueue()
        self._inbox: queue.SimpleQueue[_Finished | None] = queue.SimpleQueue()
        self._taken: set[int] = set()
        self._claims = 0
        self._stopping = threading.Event()
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._clerk = threading.Thread(target=self._run, name="clerk", daemon=True)

    def start(self) -> None:
        """Start the clerk and the workers."""
        for number in range(self._count):
            self._start_worker(number)
        self._clerk.start()

    def wake(self) -> None:
        """Tell the clerk that photos may have become pending."""
        self._inbox.put(None)

    def stop(self, timeout: float) -> None:
        """Finish the photos that are being worked on, write them down, and stop. Pending ones stay in the ledger."""
        self._stopping.set()
        for _ in self._threads:
            self._jobs.put((-(1 << 62), None))
        ends = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        self._inbox.put(None)
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
                if self._stopping.is_set() and self._inbox.empty():
                    return
            except sqlite3.OperationalError as error:
                # the disk is full, or another program holds the database: nothing is lost, the folder is still there
                log.error("the ledger cannot be written, trying again: %s", error)
                if self._stopping.wait(_DISK_RETRY_SECONDS):
                    return

    def _refill(self) -> float | None:
        """Hand out due photos; return how long to wait at most for the next thing to do, in seconds."""
        if self._stopping.is_set():
            return 0.0
        wait_ms = self._ledger.wake_due()
        room = self._count * _JOBS_AHEAD - len(self._taken)
        if room > 0:
            for job in self._ledger.claim(room, self._taken):
                self._taken.add(job.id)
                self._jobs.put((-job.id, job))
        waits = [] if wait_ms is None else [wait_ms / 1000]
        waits += [worker.deadline - time.monotonic() for worker in self._workers if worker.job is not None]
        return max(0.0, min(waits)) if waits else None

    def _collect(self, timeout: float | None) -> list[_Finished]:
        """Wait for a worker or a wake-up; return all that has been finished by then."""
        finished: list[_Finished] = []
        try:
            message = self._inbox.get(timeout=timeout) if timeout != 0.0 else self._inbox.get_nowait()
            while True:
                if message is not None:
                    finished.append(message)
                message = self._inbox.get_nowait()
        except queue.Empty:
            pass
        return finished + self._given_up()

    def _given_up(self) -> list[_Finished]:
        """Give up workers that are past their deadline, start others, and return the failures to write down."""
        late: list[_Finished] = []
        now = time.monotonic()
        for worker in self._workers:
            with worker.lock:
                if worker.job is None or worker.deadline > now:
                    continue
                job, worker.given_up = worker.job, True
            reason = f"decoding took longer than {self._decode_timeout:g} s (decode_timeout)"
            late.append(_Finished(worker, Failed(job, job.version, PhotoCode.TOO_LARGE, reason)))
        for lost in late:
            self._workers.remove(lost.worker)
            self._start_worker(lost.worker.number)
        return late

    def _write(self, finished: Sequence[_Finished]) -> None:
        outcomes = [item.outcome for item in finished]
        while True:
            try:
                self._ledger.record(outcomes)
                break
            except sqlite3.OperationalError as error:
                log.error("results cannot be written, trying again: %s", error)
                if self._stopping.wait(_DISK_RETRY_SECONDS):
                    return
        self._taken.difference_update(outcome.job.id for outcome in outcomes)
        self._on_recorded(outcomes)

    def _start_worker(self, number: int) -> None:
        worker = _Worker(number)
        self._workers.append(worker)
        thread = threading.Thread(target=self._work_on, args=(worker,), name=f"worker-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work_on(self, worker: _Worker) -> None:
        """A worker thread: one job after another, with an interpreter of its own."""
        classifier = self._model.classifier()
        while not self._stopping.is_set():
            _, job = self._jobs.get()
            if job is None:
                return
            with worker.lock:
                worker.job, worker.deadline = job, time.monotonic() + self._decode_timeout
            outcome = self._process(job, classifier)
            with worker.lock:
                worker.job = None
                if worker.given_up:
                    return
            self._inbox.put(_Finished(worker, outcome))

    def _process(self, job: Job, classifier: Classifier) -> Outcome:
        try:
            return self._work.process(job, classifier)
        except Exception as error:
            # a fault of ours or of the machine (no memory): the photo is tried again, and the others go on
            log.exception("a photo could not be worked on")
            return self._work.settling.trouble(job, f"{type(error).__name__}: {error}")
