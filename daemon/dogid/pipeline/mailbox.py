"""Messages to the coordinator thread: outcomes from the workers, wake-ups from the reconciler.

Two senders, one thread that waits for both: outcomes are collected in groups, wake-ups are delivered at once.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from dogid.ledger.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Messages:
    """Everything that was in the mailbox."""

    outcomes: list[Outcome]
    """From workers: to be recorded."""
    woken: bool
    """From the reconciler: photos may have become pending."""
    arrived: list[int]
    """From the reconciler: the ids of those that have just arrived."""


class Mailbox:
    """What the coordinator thread waits for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._outcomes: list[Outcome] = []
        self._enough = 1
        self._urgent = False
        self._woken = False
        self._arrived: list[int] = []

    @property
    def has_outcomes(self) -> bool:
        """Whether there are outcomes to be recorded."""
        return bool(self._outcomes)

    def add_outcome(self, outcome: Outcome, *, urgent: bool) -> None:
        """Add an outcome; an urgent one is delivered right away, with all the others."""
        with self._changed:
            self._outcomes.append(outcome)
            self._urgent |= urgent
            if self._is_due() or len(self._outcomes) == 1:
                self._changed.notify()

    def notify_pending(self, arrived: Sequence[int] = ()) -> None:
        """Wake the coordinator: photos may have become pending, and those with the ids `arrived` just have."""
        with self._changed:
            self._woken = True
            self._arrived += arrived
            self._changed.notify()

    def drain(self, enough: int, gather: float, timeout: float | None) -> Messages:
        """Wait for outcomes or a wake-up, and take everything out.

        Once there is an outcome, wait gather seconds at most until there are enough. Return empty messages after
        timeout seconds (None: never) without any.
        """
        with self._changed:
            self._enough = enough
            if self._changed.wait_for(lambda: self._outcomes or self._woken, timeout):
                self._changed.wait_for(self._is_due, gather)
            messages = Messages(self._outcomes, self._woken, self._arrived)
            self._outcomes, self._woken, self._arrived, self._urgent = [], False, [], False
            return messages

    def _is_due(self) -> bool:
        return self._urgent or self._woken or len(self._outcomes) >= self._enough
