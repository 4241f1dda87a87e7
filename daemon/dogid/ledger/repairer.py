"""What mends a ledger that is in use: damaged rows are repaired, and indexes that disagree with their table made anew.

What only the next start can mend is noted for it.
"""

import logging
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.conditions import LEDGER_DAMAGED
from dogid.inbox.scan import LookAt, Version
from dogid.ledger.damage import DamagedRowError, is_damage, is_of_index, is_undecodable
from dogid.ledger.database import suspect
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.stored_rows import REPAIRS
from dogid.ledger.transactions import WritingConnection

if TYPE_CHECKING:
    from dogid.ledger.inspection import LedgerInspector

log = logging.getLogger(__name__)

_MOST_REPAIRS = 5
"""Errors, in the life of a daemon, after which all rows are looked at. With more, a fault that this does not mend keeps
a processor busy for longer before the daemon gives up."""


class LedgerRepairer:
    """Repairs the ledger that a daemon writes to, and knows whether it is damaged beyond that."""

    def __init__(
        self, folder: Path, connection: WritingConnection, former_versions: FormerVersions, look_at: LookAt
    ) -> None:
        """Set up for the ledger in folder; look_at looks into the inbox."""
        self._folder = folder
        self._connection = connection
        self._former_versions = former_versions
        self._look_at = look_at
        self.is_damaged = False
        """Whether damage was met that only the next start can repair."""
        self._lock = threading.Lock()
        self._repairs_left = _MOST_REPAIRS

    def suspect_damage(self) -> None:
        """Have the database checked from end to end when it is opened next, and log that, once."""
        with self._lock:
            if not self.is_damaged:
                log.critical("%s", LEDGER_DAMAGED)
                suspect(self._folder)
            self.is_damaged = True

    def repair_after(self, error: Exception) -> bool:
        """Given an error of using the ledger, return whether it can be used on: its cause was a row, now repaired.

        Where the database itself is damaged, `suspect_damage`: then the thread that met it should end, so that the
        health check fails, and systemd restarts the daemon. False also for an error that is no damage.
        """
        is_suspicious = isinstance(error, TypeError | ValueError | LookupError)  # as of a value of another type
        if not is_suspicious and not (isinstance(error, sqlite3.DatabaseError) and is_damage(error)):
            return False
        try:
            if self._repair_all_rows(error):
                return True
        except sqlite3.DatabaseError as problem:
            log.warning("the ledger could not be repaired: %s", problem)
            is_suspicious = is_suspicious and not is_damage(problem)
        if not is_suspicious:
            self.suspect_damage()
        return False

    def _repair_all_rows(self, error: Exception) -> bool:
        """Repair rows where an error can be the fault of one; return whether there may be no other cause."""
        of_index = isinstance(error, sqlite3.DatabaseError) and is_of_index(error)
        is_structure = isinstance(error, sqlite3.DatabaseError) and not (
            of_index or isinstance(error, DamagedRowError) or is_undecodable(error)
        )
        with self._lock:
            if self._repairs_left == 0 or is_structure:
                return False
            self._repairs_left -= 1
        if not of_index:
            try:
                if self._repair_rows_and_tables() > 0:
                    return True
                with self._connection.lock:  # a value of another type may lie in an index, which queries read alone
                    if self._connection.db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok":
                        return False
            except sqlite3.DatabaseError as problem:
                # an index may hold the damaged text, or lack a row that is to be changed
                if not (is_of_index(problem) or is_undecodable(problem)):
                    raise
        self.rebuild_indexes()
        return True

    def _inspector(self) -> "LedgerInspector":
        from dogid.ledger.inspection import LedgerInspector  # the start does not need it

        return LedgerInspector(self._connection.db)

    def _repair_rows_and_tables(self) -> int:
        repaired = self.repair_other_tables()
        after: int | None = 0
        while after is not None:
            after, found = self.repair_rows(after)
            repaired += found
        for table in REPAIRS:
            after = 0
            while after is not None:
                after, found = self.repair_table(table, after)
                repaired += found
        return repaired

    def rebuild_indexes(self) -> None:
        """Make the indexes of photos anew, and repair the rows on the way; of two paths that of the file stays.

        Raise DamagedLedgerError where more is damaged than rows and indexes.
        """
        from dogid.ledger.index_repair import find_unlike_paths, rebuild_indexes  # most ledgers are sound

        with self._connection.lock:
            unlike = find_unlike_paths(self._connection.db)
        paths = {
            photo.id: photo.in_index
            for photo in unlike
            if self._is_file_at(photo.in_index, photo.version) and not self._is_file_at(photo.in_row, photo.version)
        }
        with self._connection.transaction():
            repaired = rebuild_indexes(
                self._connection.db, self._former_versions, paths, self._inspector().repair_everything
            )
        log.error("the ledger's indexes disagreed with its table and were made anew; damaged rows: %d", repaired)

    def _is_file_at(self, path: bytes, version: Version) -> bool:
        found = self._look_at(path)
        return found is not None and found.version.has_same_stat(version)

    def repair_rows(self, after: int) -> tuple[int | None, int]:
        """Look at a page of rows after an id, and repair those that are damaged.

        Return the last id of the page, None where no rows are left; and how many were damaged. Photos that are to be
        looked at again become pending.
        """
        with self._connection.lock:
            inspector = self._inspector()
            inspected = inspector.inspect_page(after)
        if inspected.repairs:
            with self._connection.transaction():
                # they may have changed meanwhile
                inspector.repair(repairs := inspector.inspect_page(after).repairs)
            for photo_id, row in repairs:
                log.warning("result %d was damaged on the disk: %s", photo_id, "removed" if row is None else "repaired")
        return inspected.last_id, len(inspected.repairs)

    def repair_table(self, table: str, after: int) -> tuple[int | None, int]:
        """Look at a page of a table besides `photo` after an id, and repair it; return as `repair_rows` does."""
        with self._connection.lock:
            inspector = self._inspector()
            inspected = inspector.inspect_table(table, after)
        if inspected.repairs:
            with self._connection.transaction():
                inspector.repair_table(table, repairs := inspector.inspect_table(table, after).repairs)
            for row_id, row in repairs:
                word = "removed" if row is None else "repaired"
                log.warning("row %d of %s was damaged on the disk: %s", row_id, table, word)
        return inspected.last_id, len(inspected.repairs)

    def repair_other_tables(self) -> int:
        """Repair models and counts; return how many rows were damaged."""
        with self._connection.transaction(durable=False):
            return self._inspector().repair_other_tables()
