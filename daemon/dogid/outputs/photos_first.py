"""When the results of one output rest, so that photos are classified first."""

import sqlite3
import time
from collections.abc import Callable

from dogid.errors import DogidError
from dogid.outputs.backlog import Backlog

_LOOK_SECONDS, _LOOK_SECONDS_OF_LIVE = 0.5, 0.2
"""Between two looks whether photos still wait, of an output that yields to them and of others. More has it go on later;
less takes time from the photos."""
LIVE_PHOTOS = 20
"""Photos that may wait to be classified before results rest, of an output that does not yield: as many as cameras take
at once. More, and they take time from a backlog; fewer, and results of several cameras come later."""
_FIRST_REST = 10.0
"""Seconds from when results began to rest, before some go out all the same. More has them come later in a long
backlog; less has the photos of a short one wait for what could as well come after them."""
_STALLED_SECONDS = 10.0
"""Without a new result, after which photos that wait hold up nothing: none is being classified. Less than a photo takes
on a slow machine, and results are sent beside it; more, and they rest for nothing."""
_LONGEST_BESIDE_PHOTOS = 30.0
_TIMES_COST_BESIDE_PHOTOS = 1000
"""Times the processor time of a round, where photos wait to be classified: a thousandth of a core. Lower, and photos
take longer (with 200, of four outputs, by 2.6 % on a busy machine); higher, and what rests is further behind."""


class PhotosFirst:
    """Decides whether the results of one output rest now."""

    def __init__(self, backlog: Backlog, rules_are_behind: Callable[[], bool], *, yields: bool) -> None:
        """Set up.

        rules_are_behind: returns whether rules have more to decide about than they take at once; results rest
        meanwhile, as live events wait for it. yields: whether results rest as soon as any photo waits.
        """
        self._backlog = backlog
        self._rules_are_behind = rules_are_behind
        self._most_waiting = 0 if yields else LIVE_PHOTOS
        self.look_seconds = _LOOK_SECONDS if yields else _LOOK_SECONDS_OF_LIVE
        """How long to wait between two looks whether results still have to rest."""
        self._since: float | None = None  # monotonic seconds, as all below; None where results do not have to rest
        self._rest_until = 0.0
        self._newest: int | None = None  # sequence number of the last change that was seen
        self._changed_at = 0.0

    def note_round(self, used: float) -> None:
        """Note that results were just sent, for so many seconds of the processor."""
        rest = min(_LONGEST_BESIDE_PHOTOS, _TIMES_COST_BESIDE_PHOTOS * used)
        self._rest_until = time.monotonic() + rest

    def has_to_rest(self) -> bool:
        """Return whether results rest now: photos are classified meanwhile, or rules decide about what is new."""
        are_behind = self._rules_are_behind()
        if not (are_behind or self.photos_wait(self._most_waiting)):
            self._since = None
            return False
        now = time.monotonic()
        if self._since is None:
            self._since = self._changed_at = now
        has_stalled = not are_behind and self._has_stalled(now)
        return not has_stalled and now < max(self._rest_until, self._since + _FIRST_REST)

    def photos_wait(self, most: int = 0) -> bool:
        """Return whether more than so many photos could be classified now; also False where that cannot be read."""
        try:
            return self._backlog.photos_wait(most)
        except (sqlite3.Error, DogidError):
            return False  # the next round, which cannot read the ledger either, notes why

    def _has_stalled(self, now: float) -> bool:
        """Return whether no photo that waits was classified for long."""
        try:
            newest = self._backlog.read_newest_seq()
        except (sqlite3.Error, DogidError):
            return True
        if newest != self._newest:
            self._newest, self._changed_at = newest, now
        return now - self._changed_at >= _STALLED_SECONDS
