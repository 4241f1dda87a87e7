"""How long to rest between two rounds of reading the ledger, so that photos keep the processor.

What comes after an idle time never waits. In a stream of photos rests grow, so that each round is about several: a
round costs about as much for one photo as for ten.
"""

import time

_SHORTEST, _LONGEST = 0.03, 0.06
"""Seconds. Raising the shortest delays the second of two events; raising the longest delays those in a stream of
photos, which all pass within 0.1 s. Lowering them takes processor time from the photos."""
_AMONG_MANY_PHOTOS = 0.25
"""The same while many photos wait to be classified: each of their events comes late anyway."""
_LONGEST_IN_BACKLOG = 0.5
_TIMES_COST_OF_BACKLOG, _TIMES_COST_WITHOUT_PHOTOS = 5, 1
"""Times the processor time of a round, where more waits: while photos wait, and while none does. Lower, and photos, or
else the page, wait for it; higher, and it takes longer."""


class Pace:
    """Measures the rounds of one thread."""

    def __init__(self) -> None:
        self._rest = _SHORTEST
        self._rested_at = 0.0  # monotonic seconds
        self._began_at = 0.0
        self._used = 0.0  # of the processor, in seconds, as the round began

    def begin(self) -> None:
        """Note that a round begins."""
        self._began_at, self._used = time.monotonic(), time.thread_time()

    def used_seconds(self) -> float:
        """Return the processor time of the round so far."""
        return time.thread_time() - self._used

    def rest(self, *, many_photos: bool = False) -> float:
        """Return how many seconds to rest after a round that has left nothing; many_photos: whether many wait."""
        if many_photos:
            return self._note(_AMONG_MANY_PHOTOS)
        is_stream = self._began_at - self._rested_at < _SHORTEST
        self._rest = min(_LONGEST, 2 * self._rest) if is_stream else _SHORTEST
        return self._note(self._rest)

    def rest_in_backlog(self, *, photos_wait: bool) -> float:
        """Return how many seconds to rest after a round that has left something for the next.

        photos_wait: whether any photo waits to be classified.
        """
        times = _TIMES_COST_OF_BACKLOG if photos_wait else _TIMES_COST_WITHOUT_PHOTOS
        return self._note(min(_LONGEST_IN_BACKLOG, times * self.used_seconds()))

    def _note(self, rest: float) -> float:
        self._rested_at = time.monotonic() + rest
        return rest
