"""Where the workers lay what they have finished, until the clerk takes it: in groups, or at once where somebody waits."""

import threading

from dogid.ledger.records import Outcome


class Tray:
    """Outcomes on their way from many workers to the one clerk, and word for him that there may be photos to hand out."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._outcomes: list[Outcome] = []
        self._enough = 1
        self._hurry = False
        self._woken = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be written down."""
        return not self._outcomes

    def lay(self, outcome: Outcome, *, urgent: bool) -> None:
        """Add an outcome; an urgent one is taken with all the others right away."""
        with self._changed:
            self._outcomes.append(outcome)
            self._hurry |= urgent
            if self._is_due() or len(self._outcomes) == 1:
                self._changed.notify()

    def wake(self) -> None:
        """Have the clerk look, whether or not there are outcomes."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def take(self, enough: int, gather: float, timeout: float | None) -> tuple[list[Outcome], bool]:
        """Wait for outcomes, and take them; also return whether the clerk was woken.

        Once there is one, wait gather seconds at most until there are enough. Give up after timeout seconds (None:
        never) without any.
        """
        with self._changed:
            self._enough = enough
            if self._changed.wait_for(lambda: self._outcomes or self._woken, timeout):
                self._changed.wait_for(self._is_due, gather)
            taken, woken = self._outcomes, self._woken
            self._outcomes, self._woken, self._hurry = [], False, False
            return taken, woken

    def _is_due(self) -> bool:
        return self._hurry or self._woken or len(self._outcomes) >= self._enough
