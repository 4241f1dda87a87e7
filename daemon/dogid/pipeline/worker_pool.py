"""The worker threads: each takes photos through decoding and the model, and proves on demand that it still can.

A worker that does not come back from a photo in time is given up and replaced; it counts as lost for as long as its
thread lives on, since no thread can be ended from outside. A new engine is tried out in every worker before any of them
goes over to it.
"""

import functools
import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from dogid.errors import PhotoCode
from dogid.file_names import one_line, shown_name
from dogid.ledger.outcomes import Failed, Job, Outcome
from dogid.model.classifier import Classifier, Model
from dogid.model.self_test import Reference
from dogid.pipeline.job_queue import JobQueue, WorkerCommand
from dogid.pipeline.worker import Work

log = logging.getLogger(__name__)

_STALL_SECONDS = 2.0  # deadlines are looked at twice a second while there is work


@dataclass(frozen=True, slots=True)
class Engine:
    """What workers work by; a reload replaces it as a whole."""

    model: Model
    work: Work
    reference: Reference
    decode_timeout: float
    """Seconds after which a worker is given up."""


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker thread as the others see it."""

    number: int
    """Its own for as long as the daemon runs."""
    job: Job | None = None
    deadline: float = 0.0
    given_up: bool = False
    proved: int = 0
    """The latest round of proofs that it has taken part in."""
    failure: str | None = None
    """What was wrong in that round."""
    tried: Engine | None = None
    """The latest engine on trial that it has tried."""
    refusal: str | None = None
    """What was wrong with that one."""
    ready: Classifier | None = None
    """Its classifier of that one, kept for when all go over."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class WorkerPool:
    """The workers and their queue."""

    def __init__(self, engine: Engine, on_finished: Callable[[Outcome], None]) -> None:
        self._engine = engine
        self._on_finished = on_finished
        self._jobs = JobQueue()
        self._trial: Engine | None = None
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._wanted = 0
        self._lost: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._round = 0
        self._numbers = itertools.count()
        self._looked_at = time.monotonic()
        self._stopping = threading.Event()

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def resize(self, count: int) -> None:
        """Start or dismiss workers, so that there are count of them; who is dismissed finishes the photo in hand."""
        with self._changed:
            self._wanted = count
            while len(self._workers) > count:
                self._leaving.append(self._workers.pop())
                self._jobs.send(self._leaving[-1].number, WorkerCommand.LEAVE)
            while len(self._workers) < count:
                self._workers.append(self._started())

    def try_out(self, engine: Engine, timeout: float) -> str | None:
        """Have every worker prove another engine, while photos go on by the present one; return what is amiss, or None.

        Waits at most timeout seconds. An engine that has passed is taken by `adopt`, any other one is forgotten.
        """
        with self._changed:
            self._trial = engine
            self._send_all(WorkerCommand.PROVE)
            self._changed.wait_for(lambda: self._stopping.is_set() or self._is_decided(engine), timeout)
            amiss = self._refusal(engine)
            if amiss is not None:
                self._trial = None
                for worker in self._workers:
                    worker.ready = None
            return amiss

    def adopt(self, engine: Engine) -> int:
        """Have all workers use another engine from their next photo on; return the round in which they prove it."""
        with self._changed:
            self._engine, self._trial = engine, None
            return self.want_proofs()

    def put(self, job: Job, *, arrived: bool) -> None:
        """Hand a photo that has just arrived, or one of the backlog, to whichever worker is free."""
        self._jobs.put(job, arrived=arrived)

    def hurry(self, ids: Set[int]) -> None:
        """Have photos that were handed out as some of the backlog go before it."""
        self._jobs.hurry(ids)

    def give_up_late(self) -> list[Outcome]:
        """Give up workers that are past their deadline, start others, and return the failures to write down."""
        late: list[Outcome] = []
        now = time.monotonic()
        stalled, self._looked_at = now - self._looked_at, now
        with self._changed:
            self._leaving = [worker for worker in self._leaving if worker.is_alive]
            for worker in (*self._workers, *self._leaving):
                with worker.lock:
                    if stalled > _STALL_SECONDS:
                        worker.deadline += stalled  # the whole process stood still (suspended): no photo's fault
                    if worker.job is None or worker.deadline > now:
                        continue
                    job, worker.given_up = worker.job, True
                reason = f"decoding took longer than {self._engine.decode_timeout:g} s (decode_timeout)"
                late.append(Failed(job, job.version, PhotoCode.TOO_LARGE, reason))
                self._replace(worker)
        return late

    def _replace(self, worker: _Worker) -> None:
        """Give up a worker, and start another in its place where it was to stay."""
        self._lost.append(worker)
        if worker in self._leaving:
            self._leaving.remove(worker)
            return
        at = self._workers.index(worker)
        try:
            self._workers[at] = self._started()
        except RuntimeError:  # the machine gives no more threads; those that are left go on
            del self._workers[at]
            log.exception("worker %d hangs and could not be replaced", worker.number)

    def stop(self, ends: float) -> None:
        """Have the workers finish what they are at, until the monotonic time ends."""
        self._stopping.set()
        self._jobs.close()
        with self._changed:
            self._changed.notify_all()  # whoever waits for proofs need not wait any longer
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def want_proofs(self) -> int:
        """Ask every worker to classify the known photo, and return this round's number."""
        with self._changed:
            self._round += 1
            self._send_all(WorkerCommand.PROVE)
            return self._round

    def wait_for_proofs(self, number: int, timeout: float) -> str | None:
        """Wait until every worker has passed a round, at most timeout seconds; return what is amiss, or None."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or not self._is_open(number), timeout)
            return self._amiss(number)

    def _is_open(self, number: int) -> bool:
        """Whether a round may still be passed by waiting."""
        return any(worker.is_alive and worker.proved < number for worker in self._workers)

    def _amiss(self, number: int) -> str | None:
        self._lost = [worker for worker in self._lost if worker.is_alive]
        for worker in self._lost:
            return f"worker {worker.number} was given up and still hangs{_in_photo(worker)}"
        if len(self._workers) < self._wanted:
            return f"{self._wanted - len(self._workers)} workers are missing, since no thread could be started"
        for worker in self._workers:
            if not worker.is_alive:
                return f"worker {worker.number} has ended"
            if worker.proved < number:
                return f"worker {worker.number} has not come back{_in_photo(worker)}"
            if worker.failure is not None:
                return f"worker {worker.number} fails on the known photo: {worker.failure}"
        return None

    def _is_decided(self, engine: Engine) -> bool:
        """Whether waiting can tell no more about an engine on trial."""
        return any(worker.tried is engine and worker.refusal is not None for worker in self._workers) or not any(
            worker.is_alive and worker.tried is not engine for worker in self._workers
        )

    def _refusal(self, engine: Engine) -> str | None:
        if self._stopping.is_set():
            return "the daemon is stopping"
        for worker in self._workers:
            if worker.tried is engine and worker.refusal is not None:
                return f"worker {worker.number} fails on the known photo: {worker.refusal}"
        for worker in self._workers:
            if worker.tried is not engine:
                return f"worker {worker.number} has not come back{_in_photo(worker)}"
        return None

    def _send_all(self, errand: WorkerCommand) -> None:
        for worker in self._workers:
            self._jobs.send(worker.number, errand)

    def _started(self) -> _Worker:
        number = next(self._numbers)
        worker = _Worker(number)
        if self._round:
            self._jobs.send(number, WorkerCommand.PROVE)
        name = f"worker-{number}"
        worker.thread = threading.Thread(target=self._work_on, args=(worker,), name=name, daemon=True)
        worker.thread.start()
        self._threads = [thread for thread in self._threads if thread.is_alive()] + [worker.thread]
        return worker

    def _work_on(self, worker: _Worker) -> None:
        """A worker thread: one job after another, with an interpreter of its own."""
        engine = self._engine
        classifier = engine.model.classifier()
        while not self._stopping.is_set():
            task = self._jobs.take(worker.number)
            if task is WorkerCommand.LEAVE:
                return
            if isinstance(task, WorkerCommand):
                engine, classifier = self._prove(worker, engine, classifier)
                continue
            with worker.lock:
                worker.job, worker.deadline = task, math.inf
            outcome = _process(task, engine.work, classifier, functools.partial(_begin_to_decode, worker, engine))
            with worker.lock:
                if worker.given_up:
                    return
                worker.job = None
            self._on_finished(outcome)

    def _prove(self, worker: _Worker, engine: Engine, classifier: Classifier) -> tuple[Engine, Classifier]:
        """Try the engine on trial, where there is one, and classify the known photo with the newest engine.

        Return what the worker goes on with: the newest engine only where it has given the right answer.
        """
        number, newest, trial = self._round, self._engine, self._trial
        if trial is not None and worker.tried is not trial:
            self._try(worker, trial)
        mine = classifier if newest is engine else worker.ready if worker.tried is newest else None
        proved, failure = _proved(newest, mine)
        with self._changed:
            worker.proved, worker.failure = number, failure
            if worker.tried is newest:
                worker.ready = None
            self._changed.notify_all()
        return (engine, classifier) if proved is None or failure is not None else (newest, proved)

    def _try(self, worker: _Worker, trial: Engine) -> None:
        made, refusal = _proved(trial, None)
        with self._changed:
            worker.tried, worker.refusal = trial, refusal
            worker.ready = made if self._trial is trial else None  # it may have been given up meanwhile
            self._changed.notify_all()


def _proved(engine: Engine, classifier: Classifier | None) -> tuple[Classifier | None, str | None]:
    """Classify the known photo, by a new classifier where none is given; return the classifier and what is wrong."""
    try:
        classifier = classifier or engine.model.classifier()
        return classifier, engine.reference.deviation(classifier)
    except Exception as error:
        log.warning("the known photo could not be classified", exc_info=True)  # whoever asked tells what it means
        return None, f"{type(error).__name__}: {error}"


def _begin_to_decode(worker: _Worker, engine: Engine) -> None:
    with worker.lock:
        worker.deadline = time.monotonic() + engine.decode_timeout


def _process(job: Job, work: Work, classifier: Classifier, on_read: Callable[[], None]) -> Outcome:
    try:
        return work.process(job, classifier, on_read)
    except Exception as error:
        # a fault of ours or of the machine (no memory): the photo is tried again, and the others go on
        log.warning("a photo could not be worked on, it is tried again", exc_info=True)
        return work.settling.trouble(job, f"{type(error).__name__}: {error}")


def _in_photo(worker: _Worker) -> str:
    job = worker.job
    return "" if job is None else f" from {one_line(shown_name(job.path))}"
