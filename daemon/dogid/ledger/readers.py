"""Read-only connections, one per thread."""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from dogid.ledger.database import open_for_reading
from dogid.ledger.reading_connection import ReadingConnection

_NO_THRESHOLDS: Mapping[str, float] = {}


class Readers:
    """Gives each thread a connection of its own, opened when first asked for and closed when the thread ends."""

    def __init__(
        self,
        folder: Path,
        on_damaged: Callable[[], None],
        thresholds: Callable[[], Mapping[str, float]] = lambda: _NO_THRESHOLDS,
    ) -> None:
        """Set up for the ledger in a state folder.

        on_damaged is called where a damaged row is met; thresholds returns the scores by label of the present settings.
        """
        self._folder = folder
        self._on_damaged = on_damaged
        self._thresholds = thresholds
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection. Raise UsageError where there is no ledger to read."""
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = _Reader(open_for_reading(self._folder))
            reader.connection.on_damaged = self._on_damaged
        reader.connection.thresholds = self._thresholds()  # a reload may have changed them
        return reader.connection


class _Reader:
    """Closes its connection when it is dropped with its thread.

    A connection is in a reference cycle with its own cache of statements, so that by itself it would stay open until
    the garbage collector happens to look.
    """

    def __init__(self, connection: ReadingConnection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()
