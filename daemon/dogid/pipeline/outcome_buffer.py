"""Where workers lay what they have finished until the clerk takes it: in groups, or at once where somebody waits."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from dogid.ledger.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Drained:
    """What the clerk finds on the tray."""

    outcomes: list[Outcome]
    woken: bool
    """Whether photos may have become pending."""
    arrived: list[int]
    """The ids of those that have just arrived."""


class OutcomeBuffer:
    """Outcomes on their way from many workers to the one clerk, and word for him that there are photos to hand out."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._outcomes: list[Outcome] = []
        self._enough = 1
        self._hurry = False
        self._woken = False
        self._arrived: list[int] = []

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

    def wake(self, arrived: Sequence[int] = ()) -> None:
        """Have the clerk look for photos to hand out, those that have just arrived first."""
        with self._changed:
            self._woken = True
            self._arrived += arrived
            self._changed.notify()

    def take(self, enough: int, gather: float, timeout: float | None) -> Drained:
        """Wait for outcomes, or to be woken, and take what there is.

        Once there is one, wait gather seconds at most until there are enough. Give up after timeout seconds (None:
        never) without any.
        """
        with self._changed:
            self._enough = enough
            if self._changed.wait_for(lambda: self._outcomes or self._woken, timeout):
                self._changed.wait_for(self._is_due, gather)
            taken = Drained(self._outcomes, self._woken, self._arrived)
            self._outcomes, self._woken, self._arrived, self._hurry = [], False, [], False
            return taken

    def _is_due(self) -> bool:
        return self._hurry or self._woken or len(self._outcomes) >= self._enough
