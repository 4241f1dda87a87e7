"""Which engine the workers use, and the checks that it works in each of them.

In each round of the health check, every worker classifies the reference photo. A new engine is tried in every worker
before any of them switches to it.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from dogid.model.classifier import Classifier
from dogid.pipeline.engine import Engine
from dogid.pipeline.job_queue import JobQueue, WorkerCommand
from dogid.pipeline.worker import Worker

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class WorkerEngine:
    """The engine as one worker uses it, with an interpreter of its own, and the results of its checks.

    `engine` and `classifier` belong to the worker's thread; the others are written under the lock of the checks.
    """

    worker: Worker
    engine: Engine
    classifier: Classifier = field(init=False)
    checked_round: int = 0
    """The latest round that it has taken part in."""
    failure: str | None = None
    """Its problem in that round."""
    tried: Engine | None = None
    """The latest engine on trial that it has tried."""
    refusal: str | None = None
    """Its problem with that one."""
    tried_classifier: Classifier | None = None
    """Its classifier of that one, kept until all workers switch to it."""


class WorkerChecks:
    """The engine in use, the one on trial, and how each worker did with them."""

    def __init__(self, engine: Engine, jobs: JobQueue) -> None:
        self._engine = engine
        self._jobs = jobs
        self._trial: Engine | None = None
        self._round = 0
        self._members: list[WorkerEngine] = []
        self._stopping = False
        self._changed = threading.Condition()

    @property
    def engine(self) -> Engine:
        """The engine that workers use from their next photo on."""
        return self._engine

    @contextlib.contextmanager
    def joining(self, worker: Worker) -> Iterator[WorkerEngine]:
        """Count a worker in once the context has ended without an exception: in it, its thread is started."""
        with self._changed:
            member = WorkerEngine(worker, self._engine)
            yield member
            self._members.append(member)

    def remove(self, worker: Worker) -> None:
        """Expect no more checks of a worker, which leaves or was given up."""
        with self._changed:
            self._members = [member for member in self._members if member.worker is not worker]
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake all threads that wait for a check: there will be no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def start_round(self) -> int:
        """Ask every worker to classify the reference photo; return the number of this round."""
        with self._changed:
            self._round += 1
            self._ask_all()
            return self._round

    def wait_for_round(self, number: int, timeout: float) -> str | None:
        """Wait until every worker has passed a round, at most timeout seconds; return the first problem, or None.

        One that still reads its photo has none: how long a disk takes is not its fault, and no restart helps.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or not self._is_open(number), timeout)
            return self._round_problem(number)

    def validate_engine(self, engine: Engine, timeout: float) -> str | None:
        """Have every worker try another engine, while photos go on by the present one; return the problem, or None.

        Wait at most timeout seconds. An engine that has passed is taken by `switch_engine`, any other is forgotten.
        """
        with self._changed:
            self._trial = engine
            self._ask_all()
            self._changed.wait_for(lambda: self._stopping or self._is_decided(engine), timeout)
            problem = self._trial_problem(engine)
            if problem is not None:
                self.forget_trial()
            return problem

    def forget_trial(self) -> None:
        """Free what the workers have made of the engine on trial: it is not switched to."""
        with self._changed:
            self._trial = None
            for member in self._members:
                member.tried_classifier = None

    def switch_engine(self, engine: Engine) -> int:
        """Have all workers use another engine from their next photo on; return the round that checks it."""
        with self._changed:
            self._engine, self._trial = engine, None
            return self.start_round()

    def begin(self, member: WorkerEngine) -> None:
        """Make the first classifier of a worker, in its thread; where there are rounds already, it takes part now."""
        engine = self._engine
        member.engine, member.classifier = engine, engine.model.classifier()
        if self._round:
            self.check(member)

    def check(self, member: WorkerEngine) -> None:
        """Try the engine on trial, where there is one, and classify the reference photo with the newest; in its thread.

        The worker switches to the newest engine only where that has given the right answer.
        """
        number, newest, trial = self._round, self._engine, self._trial
        if trial is not None and member.tried is not trial:
            self._try(member, trial)
        made = member.classifier if newest is member.engine else None
        if made is None and member.tried is newest:
            made = member.tried_classifier
        classifier, failure = _classify_reference_photo(newest, made)
        with self._changed:
            member.checked_round, member.failure = number, failure
            if member.tried is newest:
                member.tried_classifier = None
            self._changed.notify_all()
        if classifier is not None and failure is None:
            member.engine, member.classifier = newest, classifier

    def _try(self, member: WorkerEngine, trial: Engine) -> None:
        classifier, refusal = _classify_reference_photo(trial, None)
        with self._changed:
            member.tried, member.refusal = trial, refusal
            member.tried_classifier = classifier if self._trial is trial else None  # it may be refused by now
            self._changed.notify_all()

    def _ask_all(self) -> None:
        for member in self._members:
            self._jobs.send_command(member.worker.number, WorkerCommand.CHECK)

    def _is_open(self, number: int) -> bool:
        """Whether waiting longer can make a round pass."""
        return any(
            member.worker.is_alive and member.checked_round < number and not member.worker.waits_for_memory
            for member in self._members
        )

    def _round_problem(self, number: int) -> str | None:
        for member in self._members:
            worker = member.worker
            if not worker.is_alive:
                return f"worker {worker.number} has ended"
            if member.checked_round < number and not worker.waits_for_others:
                return f"worker {worker.number} has not come back{worker.photo_hint}"
            if member.failure is not None:
                return f"worker {worker.number} fails on the reference photo: {member.failure}"
        return None

    def _is_decided(self, engine: Engine) -> bool:
        """Whether waiting longer changes nothing about an engine on trial."""
        return any(member.tried is engine and member.refusal is not None for member in self._members) or not any(
            member.worker.is_alive and member.tried is not engine for member in self._members
        )

    def _trial_problem(self, engine: Engine) -> str | None:
        if self._stopping:
            return "the daemon is stopping"
        for member in self._members:
            if member.tried is engine and member.refusal is not None:
                return f"worker {member.worker.number} fails on the reference photo: {member.refusal}"
        for member in self._members:
            if member.tried is not engine:
                return f"worker {member.worker.number} has not come back{member.worker.photo_hint}"
        return None


def _classify_reference_photo(engine: Engine, classifier: Classifier | None) -> tuple[Classifier | None, str | None]:
    """Classify the reference photo, by a new classifier where none is given; return the classifier and the problem."""
    try:
        classifier = classifier or engine.model.classifier()
        return classifier, engine.reference_photo.find_deviation(classifier)
    except Exception as error:
        log.warning("the reference photo could not be classified", exc_info=True)  # the caller reports what follows
        return None, f"{type(error).__name__}: {error}"
