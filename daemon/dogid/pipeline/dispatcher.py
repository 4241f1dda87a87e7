"""Which pending photos are given to the workers: what has just arrived, the newest, and some of the oldest.

The backlog stays in the ledger: only some jobs per worker are in memory.
"""

import math
import time
from collections.abc import Callable, Collection

from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Job
from dogid.pipeline.job_queue import JobQueue

JOBS_AHEAD = 64
"""Per worker: enough to work on while results are gathered and a slow disk takes a commit.

Raising this keeps more jobs in memory, claimed before newer photos come; lowering it lets workers run out of jobs
during a slow commit.
"""
# A tenth of a second of work, where photos are small. Raising this makes the last of a crowd of arrivals wait for more
# of the others; lowering it treats more of the crowd as backlog.
_ARRIVAL_PLACES = 32  # arrivals per worker that go before the backlog
# Raising this lets an arrival that hangs delay the grouping of the backlog's results for longer; lowering it makes the
# results of slow arrivals wait for those of the backlog to be written.
_ARRIVAL_SECONDS = 1.0  # for which an arrival's result is expected to come soon
# Raising this costs throughput, by more commits of few results each; lowering it records fewer results at once.
_URGENT_ARRIVALS = 2  # per worker: while there are no more, each result is recorded at once


class Dispatcher:
    """The photos that are in flight: given to the workers and not recorded yet.

    For the coordinator thread only, except `is_urgent`.
    """

    def __init__(self, ledger: Ledger, jobs: JobQueue, now: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._jobs = jobs
        self._claimed: set[int] = set()
        self._arrivals: set[int] = set()
        self._urgent: set[int] = set()
        self._oldest: set[int] = set()
        self._few = 0
        self._now = now
        self._latest_arrival = -math.inf

    @property
    def in_flight(self) -> int:
        """How many photos have been given to the workers and are not recorded yet."""
        return len(self._claimed)

    @property
    def expects_arrivals(self) -> bool:
        """Whether results of arrivals should come soon; one that hangs is not waited for."""
        return bool(self._arrivals) and self._now() - self._latest_arrival < _ARRIVAL_SECONDS

    def is_urgent(self, photo_id: int) -> bool:
        """Whether somebody may be waiting for a photo's result: it came while there were few, or few are left."""
        return photo_id in self._urgent or (photo_id in self._arrivals and len(self._arrivals) <= self._few)

    def dispatch_arrivals(self, arrived: Collection[int], workers: int) -> None:
        """Dispatch photos that have just arrived (ids) before all others, also where the backlog has filled the queue.

        A crowd has only so many places: the others of it are the newest of the backlog.
        """
        free = workers * _ARRIVAL_PLACES - len(self._arrivals)
        newest = set(sorted(set(arrived) - self._arrivals)[-free:]) if free > 0 else set()
        if not newest:
            return
        dispatched = self._claimed & newest  # as some of the backlog, before their wake-up came
        if dispatched:
            self._jobs.prioritize(dispatched)
        jobs = self._ledger.claim_these(newest - dispatched) if newest - dispatched else []
        self._note_arrivals(dispatched | {job.id for job in jobs}, workers)
        for job in jobs:
            self._dispatch(job, arrived=True)

    def refill(self, workers: int, *, woken: bool) -> bool:
        """Dispatch what is due, as far as there is room for this many workers; return whether the ledger was read.

        woken means that more may have come.
        """
        most = workers * JOBS_AHEAD
        room = most - self.in_flight
        if not (room >= most // 4 or (woken and room > 0)):  # a query costs as much as writing some results
            return False
        # the queue gives the oldest their turns: as many of them as there are workers are there for that
        missing = workers - len(self._oldest)
        oldest = self._ledger.claim(missing, self._claimed, oldest=True) if missing > 0 else []
        self._oldest.update(job.id for job in oldest)
        for job in oldest:
            self._dispatch(job, arrived=False)
        for job in self._ledger.claim(room, self._claimed):
            self._dispatch(job, arrived=False)
        return True

    def release(self, ids: Collection[int]) -> None:
        """Note that photos are no longer in flight: they are recorded, or to be dispatched again."""
        for group in (self._claimed, self._arrivals, self._urgent, self._oldest):
            group.difference_update(ids)

    def _note_arrivals(self, ids: set[int], workers: int) -> None:
        if ids:
            self._latest_arrival = self._now()
        self._arrivals |= ids
        self._few = workers * _URGENT_ARRIVALS
        if len(self._arrivals) <= self._few:
            self._urgent |= ids

    def _dispatch(self, job: Job, *, arrived: bool) -> None:
        self._claimed.add(job.id)
        self._jobs.enqueue(job, arrived=arrived)
