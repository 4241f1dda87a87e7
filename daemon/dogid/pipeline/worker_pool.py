"""The worker threads, each with a deadline for its photo.

A worker that does not come back from a photo in time is given up and replaced; it counts as lost for as long as its
thread lives on, since no thread can be ended from outside.
"""

import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable

from dogid.errors import DogidError, PhotoCode
from dogid.ledger.outcomes import Failed, Job, Outcome
from dogid.pipeline.job_queue import JobQueue, WorkerCommand
from dogid.pipeline.worker import Worker
from dogid.pipeline.worker_checks import WorkerChecks, WorkerEngine

log = logging.getLogger(__name__)

LONGEST_GAP_SECONDS = 2.0
"""Between two checks of deadlines, which come twice a second while there is work.

After a longer gap the process counts as suspended, and all deadlines are put off. Raising this fails photos after a
suspension of that length; lowering it puts deadlines off where the machine is merely loaded.
"""


class WorkerPool:
    """The workers: how many there are, and what becomes of those that hang."""

    def __init__(self, jobs: JobQueue, checks: WorkerChecks, on_finished: Callable[[Outcome], None]) -> None:
        self._jobs = jobs
        self._checks = checks
        self._on_finished = on_finished
        self._workers: list[Worker] = []
        self._leaving: list[Worker] = []
        self._lost: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._wanted = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._checked_at = time.monotonic()
        self._stopping = threading.Event()

    @property
    def count(self) -> int:
        """How many workers there are, without those that leave or hang."""
        return len(self._workers)

    @property
    def reading_since(self) -> float | None:
        """Since when a worker has been reading one file, in monotonic seconds; None where none is reading."""
        with self._lock:
            since = [worker.reading_since for worker in self._workers]
        return min((at for at in since if at is not None), default=None)

    def resize(self, count: int) -> None:
        """Start or dismiss workers, so that there are count of them; a dismissed one finishes its photo.

        Raise DogidError where the machine gives no more threads: then there are as many as before.
        """
        with self._lock:
            before = len(self._workers)
            try:
                while len(self._workers) < count:
                    self._workers.append(self._start_worker())
            except RuntimeError as error:
                started = len(self._workers)
                self._dismiss_all_but(before)
                raise DogidError(
                    f"only {started} of {count} workers could be started: {error}; set fewer workers, or allow more"
                    " threads (TasksMax, ulimit -u)"
                ) from error
            self._dismiss_all_but(count)
            self._wanted = count

    def start_missing(self) -> None:
        """Start workers in place of those that hang, as far as the machine gives threads by now."""
        with self._lock:
            try:
                while len(self._workers) < self._wanted and not self._stopping.is_set():
                    self._workers.append(self._start_worker())
            except RuntimeError:
                return  # `problem` reports it for as long as it lasts

    def problem(self) -> str | None:
        """Return which workers hang or are missing, or None."""
        with self._lock:
            self._lost = [worker for worker in self._lost if worker.is_alive]
            for worker in self._lost:
                return f"worker {worker.number} was given up and still hangs{worker.photo_hint}"
            missing = self._wanted - len(self._workers)
            return f"{missing} workers are missing, since no thread could be started" if missing > 0 else None

    def fail_timed_out(self, longest_gap: float = LONGEST_GAP_SECONDS) -> None:
        """Fail the photos that are past their deadline, give up their workers, and start others.

        longest_gap: seconds since the last call up to which the process counts as not suspended.
        """
        now = time.monotonic()
        gap, self._checked_at = now - self._checked_at, now
        suspended = gap if gap > longest_gap else 0.0
        with self._lock:
            self._leaving = [worker for worker in self._leaving if worker.is_alive]
            for worker in (*self._workers, *self._leaving):
                late = worker.give_up_if_late(now, suspended)
                if late is not None:
                    self._replace(worker)
                    self._fail(*late)

    def stop(self, deadline: float) -> None:
        """Have the workers finish their photos, and wait for that until deadline (a `time.monotonic()`) at most."""
        self._stopping.set()
        self._jobs.close()
        self._checks.stop()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _fail(self, job: Job, sha256: str | None) -> None:
        reason = f"decoding took longer than {self._checks.engine.decode_timeout:g} s (decode_timeout)"
        self._on_finished(Failed(job, job.version, PhotoCode.TOO_LARGE, reason, sha256))

    def _replace(self, worker: Worker) -> None:
        """Give up a worker, and start another in its place where it was to stay."""
        self._lost.append(worker)
        if worker in self._leaving:
            self._leaving.remove(worker)
            return
        self._workers.remove(worker)
        self._checks.remove(worker)
        try:
            self._workers.append(self._start_worker())
        except RuntimeError:  # the machine gives no more threads; those that are left go on
            log.exception("worker %d hangs and could not be replaced", worker.number)

    def _dismiss_all_but(self, count: int) -> None:
        while len(self._workers) > count:
            worker = self._workers.pop()
            self._leaving.append(worker)
            self._checks.remove(worker)
            self._jobs.send_command(worker.number, WorkerCommand.EXIT)

    def _start_worker(self) -> Worker:
        """Start a worker thread. Raise RuntimeError where the machine gives none."""
        worker = Worker(next(self._numbers))
        name = f"worker-{worker.number}"
        with self._checks.joining(worker) as engine:
            worker.thread = threading.Thread(target=self._run_worker, args=(worker, engine), name=name, daemon=True)
            worker.thread.start()
        self._threads = [thread for thread in self._threads if thread.is_alive()] + [worker.thread]
        return worker

    def _run_worker(self, worker: Worker, mine: WorkerEngine) -> None:
        """A worker thread: one photo after another, with an interpreter of its own."""
        self._checks.begin(mine)
        while not self._stopping.is_set():
            task = self._jobs.next_task(worker.number)
            if task is WorkerCommand.EXIT:
                return
            if isinstance(task, WorkerCommand):
                self._checks.check(mine)
                continue
            worker.begin_job(task)
            on_start = functools.partial(worker.start_deadline, mine.engine.decode_timeout)
            outcome = mine.engine.processor.process(task, mine.classifier, worker, on_start)
            if not worker.end_job():
                return
            self._on_finished(outcome)
