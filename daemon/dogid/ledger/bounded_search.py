"""Looking for results that no index finds, within the time that a request may take."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace

from dogid.ledger.queries import ResultFilter, iterate_results
from dogid.result_document import Result

_SECONDS = 0.025
"""After which no more rows are looked at. More delays other requests; less needs more pages where what is wanted is
rare: a million rows take a third of a second."""
_FIRST_ROWS = 5_000  # most pages are full by then
_MOST_ROWS = 40_000  # at once: 10 ms. More overruns the time by more


class BoundedSearch:
    """The results that a filter wants, newest first; fewer than its limit where finding them takes too long."""

    def __init__(self, db: sqlite3.Connection, wanted: ResultFilter) -> None:
        self._db = db
        self._wanted = wanted
        self.next_before: int | None = None
        """Once all was iterated over: `before` of the filter that finds the rest; None where there is no more."""

    def __iter__(self) -> Iterator[Result]:
        deadline = time.monotonic() + _SECONDS
        (newest,) = self._db.execute("SELECT coalesce(max(id), 0) FROM photo").fetchone()
        before = newest + 1 if self._wanted.before is None else min(self._wanted.before, newest + 1)
        left, rows = self._wanted.limit, _FIRST_ROWS
        while before > 1:
            part = replace(self._wanted, limit=left, before=before, from_id=before - rows)
            for result in iterate_results(self._db, part):
                yield result
                left -= 1
                if left == 0:
                    self.next_before = result["id"]
                    return
            before -= rows
            rows = min(2 * rows, _MOST_ROWS)
            if time.monotonic() > deadline:
                break
        self.next_before = before if before > 1 else None
