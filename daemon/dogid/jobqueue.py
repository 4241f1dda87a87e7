"""The queue between the clerk and the workers: photos in their order, and errands for one worker before them."""

import heapq
import itertools
import threading
from enum import Enum

from dogid.ledger.records import Job


class Errand(Enum):
    """What a worker is asked to do between photos."""

    PROVE = "prove"
    """Classify the known photo, with the newest model."""
    LEAVE = "leave"
    """End: the daemon stops, or fewer workers are wanted."""


class JobQueue:
    """Photos for whichever worker is free, errands for a certain one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: list[tuple[int, int, Job]] = []
        self._tie = itertools.count()  # jobs themselves have no order
        self._errands: dict[int, Errand] = {}
        self._closed = False

    def put(self, order: int, job: Job) -> None:
        """Add a photo; lower orders come first."""
        with self._changed:
            heapq.heappush(self._jobs, (order, next(self._tie), job))
            self._changed.notify()

    def send(self, worker: int, errand: Errand) -> None:
        """Have a worker do an errand before its next photo."""
        with self._changed:
            if self._errands.get(worker) is not Errand.LEAVE:
                self._errands[worker] = errand
            self._changed.notify_all()

    def close(self) -> None:
        """Have every worker leave, now and for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, worker: int) -> Job | Errand:
        """Wait for an errand of this worker's, or a photo."""
        with self._changed:
            while True:
                if self._closed:
                    return Errand.LEAVE
                if worker in self._errands:
                    return self._errands.pop(worker)
                if self._jobs:
                    return heapq.heappop(self._jobs)[2]
                self._changed.wait()
