"""The watch over the daemon itself: is the known photo still answered rightly, by every worker?"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from dogid.status import NOT_CHECKED, Health

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
"""Between two rounds; a round costs each worker what one small photo costs."""
_ROUNDS_MISSED = 4
_HEALTHY = "the known photo passed through every worker"


class HealthTarget(Protocol):
    """What is watched over: the pool of workers."""

    def want_proofs(self) -> int:
        """Begin a round of proofs; return its number."""

    def wait_for_proofs(self, number: int, timeout: float) -> str | None:
        """Wait until the round is passed, or fails, or the time is over; return what is amiss."""


class HealthCheck:
    """A thread that asks for proofs again and again, and pings whoever waits for that only when all were passed."""

    def __init__(
        self,
        patients: HealthTarget,
        also_amiss: Callable[[], str | None],
        on_healthy: Callable[[], None],
        patience: Callable[[], float],
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        """Set up, without beginning.

        also_amiss tells of other threads that must live; on_healthy is called after every round that was passed;
        patience tells how many seconds a worker may need to come back from a photo.
        """
        self._patients = patients
        self._also_amiss = also_amiss
        self._on_healthy = on_healthy
        self._patience = patience
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._health = Health(ok=False, reason=NOT_CHECKED, checked_at=time.monotonic())

    @property
    def health(self) -> Health:
        """What the last round told; nothing good once that is longer ago than a round may take."""
        known = self._health
        age = time.monotonic() - known.checked_at
        if known.ok and age > self._patience() + _ROUNDS_MISSED * self._interval:
            return Health(ok=False, reason=f"the last check was {age:.0f} s ago", checked_at=known.checked_at)
        return known

    def check(self) -> str | None:
        """Hold one round now; return what is amiss, or None. A worker that is busy is waited for."""
        timeout = self._patience() + self._interval
        amiss = self._patients.wait_for_proofs(self._patients.want_proofs(), timeout) or self._also_amiss()
        if self._stopping.is_set():
            return "the daemon is stopping"
        self._note(amiss)
        return amiss

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, without waiting for a round that is being held."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                if self.check() is None:
                    self._on_healthy()
            except Exception:
                log.warning("the daemon's health could not be checked", exc_info=True)
            self._stopping.wait(max(0.0, began + self._interval - time.monotonic()))

    def _note(self, amiss: str | None) -> None:
        before = self._health
        if amiss is None:
            self._health = Health(ok=True, reason=_HEALTHY, checked_at=time.monotonic())
            if not before.ok and before.reason != NOT_CHECKED:
                log.warning("healthy again, after: %s", before.reason)
            return
        self._health = Health(ok=False, reason=amiss, checked_at=before.checked_at)
        if amiss != before.reason:
            log.error("not healthy: %s", amiss)
