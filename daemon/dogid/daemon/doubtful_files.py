"""The queue of files whose content must be read to know whether the ledger's result is still theirs.

They wait here, in memory: what is lost is found again by the next scan.
"""

import threading
from collections.abc import Sequence

from dogid.inbox.scan import FoundFile

_MOST = 10_000  # more take memory; with fewer, more scans are needed after the rights of a large inbox were changed


class DoubtfulFiles:
    """A queue of files, each in it once. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._files: dict[bytes, FoundFile] = {}
        self._closed = False

    def add(self, files: Sequence[FoundFile]) -> None:
        """Add files, as far as there is room."""
        if not files:
            return
        with self._changed:
            for file in files:
                if len(self._files) < _MOST or file.path in self._files:
                    self._files[file.path] = file
            self._changed.notify()

    def take(self) -> FoundFile | None:
        """Wait for a file and take it out, the one that came first; return None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._files)
            if self._closed:
                return None
            return self._files.pop(next(iter(self._files)))

    def close(self) -> None:
        """Let `take` return, now and from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
