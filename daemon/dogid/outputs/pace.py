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

_LONGEST_BESIDE_PHOTOS = 30.0
_TIMES_COST_BESIDE_PHOTOS = 1000
"""Times the processor time of a round, where photos wait to be classified: a thousandth of a core. Lower, and photos
take longer (with 200, of four outputs, by 2.6 % on a busy machine); higher, and what rests is further behind."""


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

    def rest_seconds(self, *, has_more: bool, photos_wait: bool = True, many_photos: bool = False) -> float:
        """Return how long to rest after a round.

        has_more: whether it has left something for the next; photos_wait: whether photos wait to be classified;
        many_photos: whether many do.
        """
        if has_more:
            times = _TIMES_COST_OF_BACKLOG if photos_wait else _TIMES_COST_WITHOUT_PHOTOS
            rest = min(_LONGEST_IN_BACKLOG, times * (time.thread_time() - self._used))
        elif many_photos:
            rest = _AMONG_MANY_PHOTOS
        else:
            is_stream = self._began_at - self._rested_at < _SHORTEST
            rest = self._rest = min(_LONGEST, 2 * self._rest) if is_stream else _SHORTEST
        self._rested_at = time.monotonic() + rest
        return rest

    def rest_seconds_beside_photos(self) -> float:
        """Return how long to rest after a round while photos wait to be classified."""
        return min(_LONGEST_BESIDE_PHOTOS, _TIMES_COST_BESIDE_PHOTOS * (time.thread_time() - self._used))
