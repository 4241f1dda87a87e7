"""The thread that reads files whose size and date agree with the ledger, and whose ctime does not.

Rights, owner, links and restored dates change a ctime; so does another photo that got the date of the one before.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dogid.daemon.doubtful_files import DoubtfulFiles
from dogid.daemon.ledger_thread import LedgerThread
from dogid.inbox.content_hash import hash_file
from dogid.ledger.ledger import Ledger

log = logging.getLogger(__name__)

# Between two files while photos are classified. Raising these finds another photo with the old date later, where the
# rights of many files changed meanwhile; lowering them takes disk and processor from the photos.
_MIN_PAUSE_SECONDS = 0.1
_PAUSE_RATIO = 4  # as a multiple of the time that the file took


class ContentChecker(LedgerThread):
    """Decides by content whether a result is still that of the file under its name."""

    def __init__(
        self,
        inbox: Path,
        ledger: Ledger,
        on_pending: Callable[[Sequence[int]], None],
        is_busy: Callable[[], bool],
    ) -> None:
        """Set up, without starting the thread.

        on_pending is called with the ids of photos that are others now; is_busy returns whether photos are being
        classified, which come first.
        """
        super().__init__("content-checker")
        self._inbox = inbox
        self._ledger = ledger
        self._files = DoubtfulFiles()
        ledger.on_doubtful = self._files.add
        self._on_pending = on_pending
        self._is_busy = is_busy
        self._stopping = threading.Event()

    def request_stop(self) -> None:
        """Have the thread end after the file that is being read."""
        self._stopping.set()
        self._files.close()

    def _run(self) -> None:
        while (file := self._files.take()) is not None and not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._check(file.path)
            except Exception as error:
                if self._ledger.repairer.repair_after(error):
                    self._on_pending(())
                elif self._ledger.repairer.is_damaged:
                    return  # so the health check fails, and systemd restarts the daemon
                elif isinstance(error, sqlite3.OperationalError):
                    continue  # the disk is full, which others report; the next scan finds the file again
                else:
                    log.warning("a file could not be compared with its result", exc_info=True)
            if self._is_busy():
                self._stopping.wait(max(_MIN_PAUSE_SECONDS, _PAUSE_RATIO * (time.monotonic() - started)))

    def _check(self, path: bytes) -> None:
        read = hash_file(self._inbox, path)
        if read is None or self._stopping.is_set():
            return  # gone, closed or being written: an event or the next scan finds it again
        file, sha256 = read
        changed = self._ledger.decide(file, sha256)
        if changed:
            self._on_pending(changed)
