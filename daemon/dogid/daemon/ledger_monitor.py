"""What readers of the ledger meet: damage is repaired or makes the daemon unhealthy; its files may be moved away."""

import sqlite3
from collections.abc import Callable, Mapping

from dogid.conditions import LEDGER_DAMAGED, ledger_unreadable
from dogid.daemon.opening import Opened
from dogid.errors import UsageError
from dogid.file_names import one_line
from dogid.ledger import queries
from dogid.ledger.damage import DamagedRowError, is_damage, is_undecodable
from dogid.ledger.readers import Readers

READ_ERRORS = (sqlite3.DatabaseError, UsageError)
"""What a reader of the ledger raises."""


class LedgerMonitor:
    """Gives each thread its own reader of the ledger, and considers the errors that readers meet."""

    def __init__(
        self, opened: Opened, thresholds: Callable[[], Mapping[str, float]], inspect_soon: Callable[[], None]
    ) -> None:
        """Set up. thresholds returns those in use, by label; inspect_soon has all rows looked at: one is damaged."""
        self._ledger = opened.ledger
        self._state = opened.state
        self._files = opened.ledger_files
        self._wait = opened.ledger_wait
        self._inspect_soon = inspect_soon
        self._readers = Readers(opened.state, inspect_soon, thresholds)

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own connection for queries."""
        return self._readers.connection()

    @property
    def is_damaged(self) -> bool:
        """Whether the ledger is, and a restart is to open a repaired one."""
        return self._ledger.repairer.is_damaged

    def note_error(self, error: Exception) -> None:
        """Consider an error that a reader met: a damaged row is repaired, a damaged ledger unhealthy."""
        if isinstance(error, DamagedRowError) or (isinstance(error, sqlite3.Error) and is_undecodable(error)):
            self._inspect_soon()
        elif isinstance(error, sqlite3.DatabaseError) and is_damage(error):
            self._ledger.repairer.suspect_damage()

    def explain_error(self, error: Exception) -> str:
        """Consider an error that a reader met, and return it as one line."""
        self.note_error(error)
        return LEDGER_DAMAGED if self.is_damaged else one_line(str(error))

    def find_problem(self) -> str | None:
        """Return why the ledger cannot be used any more; None where it can."""
        with self._wait:  # its disk may hang, and this thread with it
            problem = self._files.problem()
            if problem is not None:
                return problem
            try:
                queries.count_by_status(self.reader())
            except READ_ERRORS as error:
                self.note_error(error)
                return LEDGER_DAMAGED if self.is_damaged else ledger_unreadable(self._state, str(error))
        return None

    def count_photos(self) -> Mapping[str, int]:
        """Return how many photos there are of each status. Raise READ_ERRORS."""
        with self._wait:
            return queries.count_by_status(self.reader())
