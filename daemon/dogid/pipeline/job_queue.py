"""The queue between the dispatcher and the workers: photos in their order, and commands for one worker before them."""

import bisect
import threading
from collections import deque
from collections.abc import Set
from enum import Enum

from dogid.ledger.outcomes import Job

# Raising these makes old photos of a large backlog wait longer; lowering them makes each new one wait longer.
_OLD_EVERY = 8  # every eighth photo is taken from the backlog's old end
_OLD_AT_LATEST = 16  # the same while arrivals come without a pause


class WorkerCommand(Enum):
    """What a worker is asked to do between photos."""

    CHECK = "check"
    """Classify the reference photo with the newest engine."""
    EXIT = "exit"
    """End: the daemon stops, or fewer workers are wanted."""


class JobQueue:
    """Photos for whichever worker is free, commands for a certain one.

    Arrivals come first, in their order; then the newest of the backlog. Now and then it is the turn of the oldest, so
    that a steady stream of newer ones does not starve it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrivals: deque[Job] = deque()
        self._backlog: list[Job] = []  # by id
        self._since_old = 0
        self._commands: dict[int, WorkerCommand] = {}
        self._closed = False

    def enqueue(self, job: Job, *, arrived: bool) -> None:
        """Add a photo that has just arrived, or one of the backlog."""
        with self._changed:
            if arrived:
                self._arrivals.append(job)
            else:
                bisect.insort(self._backlog, job, key=lambda job: job.id)
            self._changed.notify()

    def prioritize(self, ids: Set[int]) -> None:
        """Move photos from the backlog to the arrivals, as far as they still wait here."""
        with self._changed:
            self._arrivals.extend(job for job in self._backlog if job.id in ids)
            self._backlog = [job for job in self._backlog if job.id not in ids]

    def send_command(self, worker: int, command: WorkerCommand) -> None:
        """Have the worker of this number follow a command before its next photo."""
        with self._changed:
            if self._commands.get(worker) is not WorkerCommand.EXIT:
                self._commands[worker] = command
            self._changed.notify_all()

    def close(self) -> None:
        """Have every worker exit, now and for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def next_task(self, worker: int) -> Job | WorkerCommand:
        """Wait for a command for the worker of this number, or a photo; return it."""
        with self._changed:
            while True:
                if self._closed:
                    return WorkerCommand.EXIT
                if worker in self._commands:
                    return self._commands.pop(worker)
                if self._arrivals or self._backlog:
                    return self._next_job()
                self._changed.wait()

    def _next_job(self) -> Job:
        self._since_old += 1
        is_turn_of_old = self._since_old >= (_OLD_AT_LATEST if self._arrivals else _OLD_EVERY)
        if self._backlog and is_turn_of_old:
            self._since_old = 0
            return self._backlog.pop(0)
        return self._arrivals.popleft() if self._arrivals else self._backlog.pop()
