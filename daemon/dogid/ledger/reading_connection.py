"""A connection for queries that remembers the damaged rows that they met."""

import sqlite3
import weakref
from collections.abc import Callable, Mapping
from types import MappingProxyType


class ReadingConnection(sqlite3.Connection):
    """A connection for queries only."""

    on_damaged: Callable[[], None] | None = None
    """Called when a damaged row is met for the first time."""
    thresholds: Mapping[str, float] = MappingProxyType({})
    """Scores (0..1) by label, below which the answers that are read are unsure: they are settings, and not stored."""
    _damaged: frozenset[int] = frozenset()
    _has_function = False

    @property
    def damaged_rows(self) -> int:
        """How many damaged rows were met and left out."""
        return len(self._damaged)

    def define_threshold(self) -> None:
        """Define threshold(label) in SQL, by the thresholds at the time of its calls."""
        if self._has_function:  # SQLite defines none a second time while a query runs
            return
        this = weakref.ref(self)  # else nothing but the garbage collector would free the connection

        def threshold(label: object) -> float | None:
            connection = this()
            return None if connection is None or not isinstance(label, str) else connection.thresholds.get(label)

        self.create_function("threshold", 1, threshold)
        self._has_function = True

    def note_damaged(self, photo_id: int) -> None:
        """Note that the row of a photo is damaged."""
        if photo_id not in self._damaged:
            self._damaged |= {photo_id}
            if self.on_damaged is not None:
                self.on_damaged()
