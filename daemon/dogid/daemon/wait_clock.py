"""Since when threads have been waiting for something that may hang."""

import threading
import time


class WaitClock:
    """A context in which a thread waits; for any number of threads, and not within itself."""

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}

    @property
    def since(self) -> float | None:
        """Since when the thread that has waited longest is waiting, in monotonic seconds; None where none waits."""
        return min(list(self._begun.values()), default=None)

    def __enter__(self) -> None:
        self._begun[threading.get_ident()] = time.monotonic()

    def __exit__(self, *_: object) -> None:
        del self._begun[threading.get_ident()]
