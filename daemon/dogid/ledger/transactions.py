"""The one connection that writes to the ledger, under one lock, in transactions."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator


class WritingConnection:
    """The ledger's connection for writing, which threads share."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Write by a connection, which is used under `lock` alone."""
        self.db = db
        self.lock = threading.Lock()
        self.changes = 0
        """How many transactions were committed, or noticed of other processes."""
        (self._data_version,) = db.execute("PRAGMA data_version").fetchone()

    def count_foreign_changes(self) -> bool:
        """Count what another process has written since the last time as a change; return whether it has."""
        with self.lock:
            (version,) = self.db.execute("PRAGMA data_version").fetchone()
            is_changed: bool = version != self._data_version
            self._data_version = version
            self.changes += is_changed
        return is_changed

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """One transaction. One that is not durable outlives the process but not a power cut, and costs no wait.

        https://sqlite.org/pragma.html#pragma_synchronous: with NORMAL the log is written in order but not synced; the
        next durable commit syncs what came before as well, so nothing is ever on disk without what it builds on.
        """
        with self.lock, self.locked_transaction(durable=durable):
            yield

    @contextlib.contextmanager
    def locked_transaction(self, *, durable: bool = True) -> Iterator[None]:
        """The same, where the lock is held already."""
        self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        try:
            self.db.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        self.changes += 1

    def _roll_back(self) -> None:
        if self.db.in_transaction:  # SQLite has rolled back by itself after some errors (disk full)
            self.db.execute("ROLLBACK")
