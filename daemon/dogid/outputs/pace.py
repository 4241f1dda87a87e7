"""How long to rest between two rounds of reading the ledger, so that photos keep the processor."""

import time

_SHORTEST, _LONGEST = 0.05, 0.1
"""Seconds. Rests are at the end of a round: what comes after an idle time never waits. Raising them delays events in a
stream of photos; lowering them takes processor time from the photos on slow boards."""
_TIMES_COST = 100
"""A rest lasts so many times the processor time of the round: one percent of a core. Lower, and photos wait for it."""
_TIMES_COST_OF_BACKLOG = 5
"""The same where more waits: it is over sooner, and takes a sixth of a core until then."""


class Pace:
    """Measures the rounds of one thread."""

    def __init__(self) -> None:
        self._began = 0.0

    def begin(self) -> None:
        """Note that a round begins."""
        self._began = time.thread_time()

    def rest_seconds(self, *, has_more: bool) -> float:
        """Return how long to rest after a round; has_more: whether it has left something for the next."""
        cost = time.thread_time() - self._began
        if has_more:
            return min(_LONGEST, _TIMES_COST_OF_BACKLOG * cost)
        return min(_LONGEST, max(_SHORTEST, _TIMES_COST * cost))
