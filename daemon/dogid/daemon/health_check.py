"""The daemon's check of itself: does every worker still classify the reference photo correctly?"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from dogid.status import NOT_CHECKED, Health

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
"""Between two rounds; a round costs each worker what one small photo costs.

Raising this delays the report of a fault; lowering it wakes an idle machine more often.
"""
_ROUNDS_MISSED = 4  # until the last result is outdated; raising this hides a hang, lowering it fails under load
_HEALTHY = "the reference photo passed through every worker"


class HealthTarget(Protocol):
    """What is checked: the pipeline."""

    def start_health_round(self) -> int:
        """Ask every worker to classify the reference photo; return the number of this round."""

    def wait_for_health_round(self, number: int, timeout: float) -> str | None:
        """Wait until a round is passed, at most timeout seconds; return the first problem, or None."""


class HealthCheck:
    """A thread that runs one round after another, and reports each that every worker has passed."""

    def __init__(
        self,
        target: HealthTarget,
        thread_failure: Callable[[], str | None],
        on_healthy: Callable[[], None],
        timeout: Callable[[], float],
        interval: float = INTERVAL_SECONDS,
        on_checked: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up, without starting the thread.

        thread_failure returns which other thread has ended that must live, or None; on_healthy is called after every
        round that was passed, on_checked after every round; timeout returns how many seconds a worker may need to come
        back from a photo.
        """
        self._target = target
        self._thread_failure = thread_failure
        self.on_healthy = on_healthy
        self._timeout = timeout
        self._interval = interval
        self._on_checked = on_checked
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health-check", daemon=True)
        self._health = Health(ok=False, reason=NOT_CHECKED, checked_at=time.monotonic())

    @property
    def health(self) -> Health:
        """The result of the last round; not healthy where that was passed too long ago (see _ROUNDS_MISSED)."""
        known = self._health
        age = time.monotonic() - known.checked_at
        if known.ok and age > self._timeout() + _ROUNDS_MISSED * self._interval:
            return Health(ok=False, reason=f"the last check was {age:.0f} s ago", checked_at=known.checked_at)
        return known

    def check(self) -> str | None:
        """Run one round now; return the problem, or None. A worker that is busy is waited for."""
        timeout = self._timeout() + self._interval
        round_number = self._target.start_health_round()
        problem = self._target.wait_for_health_round(round_number, timeout) or self._thread_failure()
        if self._stopping.is_set():
            return "the daemon is stopping"
        self._note(problem)
        return problem

    def start(self) -> None:
        """Start checking, at once and then every interval."""
        self._thread.start()

    def request_stop(self) -> None:
        """Start no further round, without waiting for the present one."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                if self.check() is None:
                    self.on_healthy()
                self._on_checked()
            except Exception:
                log.warning("the daemon's health could not be checked", exc_info=True)
            self._stopping.wait(max(0.0, began + self._interval - time.monotonic()))

    def _note(self, problem: str | None) -> None:
        before = self._health
        if problem is None:
            self._health = Health(ok=True, reason=_HEALTHY, checked_at=time.monotonic())
            if not before.ok and before.reason != NOT_CHECKED:
                log.warning("healthy again, after: %s", before.reason)
            return
        self._health = Health(ok=False, reason=problem, checked_at=before.checked_at)
        if problem != before.reason:
            log.error("not healthy: %s", problem)
