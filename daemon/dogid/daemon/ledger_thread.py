"""What the threads that use the ledger for as long as the daemon runs have in common."""

import threading
import time
from abc import ABC, abstractmethod


class LedgerThread(ABC):
    """A thread that ends only by `request_stop`, or because the ledger is damaged: so the daemon can see that."""

    def __init__(self, name: str) -> None:
        """Set up, without starting the thread."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def _run(self) -> None:
        """Work until the thread is to end."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, deadline: float) -> None:
        """Wait for the thread to end, until deadline (a `time.monotonic()`) at most."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def is_alive(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()
