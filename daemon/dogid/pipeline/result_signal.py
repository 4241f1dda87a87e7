"""A signal that new results are in the ledger, for the threads that wait for them."""

import threading


class ResultSignal:
    """A number that grows with every batch of results, and can be waited on by any number of threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._closed = False

    @property
    def number(self) -> int:
        """How many batches there have been."""
        return self._number

    @property
    def closed(self) -> bool:
        """Whether there will be no more."""
        return self._closed

    def announce(self) -> None:
        """Wake all that wait: there are new results."""
        with self._changed:
            self._number += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Wake all that wait: there will be no more results."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_for_change(self, known: int, timeout: float) -> int:
        """Wait at most timeout seconds until the number is no longer the known one; return it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number != known, timeout)
            return self._number

    def wait_until_closed(self, seconds: float) -> None:
        """Wait at most this many seconds for the end of all results."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)
