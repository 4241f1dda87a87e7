"""Which pending photos are given to the workers: what has just arrived, the newest, and some of the oldest.

The backlog stays in the ledger: only some jobs per worker are in memory.
"""

import math
import time
from collections.abc import Callable, Collection, Set
from typing import Protocol

from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Job

JOBS_AHEAD = 64
"""Per worker: enough to work on while results are gathered and a slow disk takes a commit."""
_PLACES = 32  # arrivals per worker that go before the backlog: a tenth of a second, where photos are small
_JUST_SECONDS = 1.0  # for which an arrival's result is expected to come soon
_FRESH = 2  # arrivals per worker whose results are told at once, each


class Workers(Protocol):
    """Who works on photos: the pool of workers."""

    def put(self, job: Job, *, arrived: bool) -> None:
        """Take a photo that has just arrived, or one of the backlog."""

    def hurry(self, ids: Set[int]) -> None:
        """Let photos that were put as some of the backlog go before it."""


class Dispatcher:
    """The photos that workers have been given. For the clerk's thread, but for `is_urgent`."""

    def __init__(self, ledger: Ledger, workers: Workers, now: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._workers = workers
        self._taken: set[int] = set()
        self._arrivals: set[int] = set()
        self._urgent: set[int] = set()
        self._oldest: set[int] = set()
        self._few = 0
        self._now = now
        self._latest = -math.inf

    @property
    def in_hand(self) -> int:
        """How many photos have been handed out, and are not done."""
        return len(self._taken)

    @property
    def has_arrivals(self) -> bool:
        """Whether some of them have just arrived. One that hangs is none for ever."""
        return bool(self._arrivals) and self._now() - self._latest < _JUST_SECONDS

    def is_urgent(self, photo_id: int) -> bool:
        """Whether somebody may be waiting for a photo's result: it came while there were few, or few are left."""
        return photo_id in self._urgent or (photo_id in self._arrivals and len(self._arrivals) <= self._few)

    def welcome(self, arrived: Collection[int], workers: int) -> None:
        """Hand out photos that have just arrived (ids) before all others, also where there is no room for the backlog.

        A crowd has only so many places: the others of it are the newest of the backlog.
        """
        free = workers * _PLACES - len(self._arrivals)
        newest = set(sorted(set(arrived) - self._arrivals)[-free:]) if free > 0 else set()
        if not newest:
            return
        handed_out = self._taken & newest  # as some of the backlog, before their word came
        if handed_out:
            self._workers.hurry(handed_out)
        jobs = self._ledger.claim_these(newest - handed_out) if newest - handed_out else []
        self._expect(handed_out | {job.id for job in jobs}, workers)
        for job in jobs:
            self._hand_out(job, arrived=True)

    def refill(self, workers: int, *, woken: bool) -> bool:
        """Hand out what is due, as far as there is room for so many workers; return whether the ledger was looked at.

        woken means that more may have come.
        """
        most = workers * JOBS_AHEAD
        room = most - self.in_hand
        if not (room >= most // 4 or (woken and room > 0)):  # a look costs as much as writing some results
            return False
        # the queue gives the oldest their turns: as many of them as there are workers are there for that
        missing = workers - len(self._oldest)
        oldest = self._ledger.claim(missing, self._taken, oldest=True) if missing > 0 else []
        self._oldest.update(job.id for job in oldest)
        for job in oldest:
            self._hand_out(job, arrived=False)
        for job in self._ledger.claim(room, self._taken):
            self._hand_out(job, arrived=False)
        return True

    def done(self, ids: Collection[int]) -> None:
        """Take note that photos have been written down, or are to be handed out again."""
        for group in (self._taken, self._arrivals, self._urgent, self._oldest):
            group.difference_update(ids)

    def _expect(self, ids: set[int], workers: int) -> None:
        """Take note of arrivals, whose results are urgent while there are few."""
        if ids:
            self._latest = self._now()
        self._arrivals |= ids
        self._few = workers * _FRESH
        if len(self._arrivals) <= self._few:
            self._urgent |= ids

    def _hand_out(self, job: Job, *, arrived: bool) -> None:
        self._taken.add(job.id)
        self._workers.put(job, arrived=arrived)
