"""Looking for results that no index finds, and counting them, within the time that a request may take."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dogid.ledger.queries import ResultFilter, conditions_of, iterate_results
from dogid.result_document import Result

_SECONDS = 0.02
"""After which no more rows are looked at. More delays other requests; less needs more pages where what is wanted is
rare: a million rows take a third of a second."""
_FIRST_ROWS = 5_000  # most pages are full by then
_MOST_ROWS = 20_000  # at once: 5 ms, or 10 for parts of names. More overruns the time by more
_STEPS = 5_000
"""Of SQLite's machine, between two looks at the clock while it counts: a tenth of a millisecond or less."""


def needs_bound(wanted: ResultFilter) -> bool:
    """Return whether no index finds what is wanted, or two would have to be combined.

    Else all that one of them finds would be read where the other finds nothing, such as all foxes where none has left
    the inbox; and all photos where none has so high a score.
    """
    unindexed = (
        wanted.unsure, wanted.name, wanted.folder, wanted.since_ms, wanted.until_ms, wanted.min_score, wanted.max_score,
    )  # fmt: skip
    if any(part is not None for part in unindexed) or wanted.reviewed == "false":
        return True
    # failed and pending photos are in the inbox, all of them
    present = None if wanted.status in ("failed", "pending") else wanted.present
    return sum(part is not None for part in (wanted.label, wanted.status, wanted.reviewed, present)) > 1


class BoundedSearch:
    """The results that a filter wants, newest first; fewer than its limit where finding them takes too long.

    Where the filter has `after`, and not `before`, the oldest of these come first.
    """

    def __init__(self, db: sqlite3.Connection, wanted: ResultFilter, share: float = 1.0) -> None:
        """Search when it is iterated over. share: of the time of a request, for one that searches more than once."""
        self._db = db
        self._wanted = wanted
        self._share = share
        self.next_before: int | None = None
        """Once all was iterated over: `before` of the filter that finds the rest; None where there is no more."""
        self.next_after: int | None = None
        """The same, `after`, of a search upwards."""

    def __iter__(self) -> Iterator[Result]:
        deadline = time.monotonic() + _SECONDS * self._share
        (newest,) = self._db.execute("SELECT coalesce(max(id), 0) FROM photo").fetchone()
        if self._wanted.after is not None:
            yield from self._search_upwards(self._wanted.after, newest, deadline)
            return
        before = newest + 1 if self._wanted.before is None else min(self._wanted.before, newest + 1)
        first = max(1, self._wanted.from_id or 1)
        left, rows = self._wanted.limit, _FIRST_ROWS
        while before > first:
            part = replace(self._wanted, limit=left, before=before, from_id=max(first, before - rows))
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
        self.next_before = before if before > first else None

    def _search_upwards(self, after: int, newest: int, deadline: float) -> Iterator[Result]:
        end = newest + 1 if self._wanted.before is None else min(self._wanted.before, newest + 1)
        after = max(after, (self._wanted.from_id or 0) - 1)
        left, rows = self._wanted.limit, _FIRST_ROWS
        while after + 1 < end:
            part = replace(self._wanted, limit=left, after=after, before=min(end, after + 1 + rows))
            for result in iterate_results(self._db, part):
                yield result
                left -= 1
                if left == 0:
                    self.next_after = result["id"]
                    return
            after += rows
            rows = min(2 * rows, _MOST_ROWS)
            if time.monotonic() > deadline:
                break
        self.next_after = after if after + 1 < end else None


@dataclass(frozen=True, slots=True)
class BoundedCount:
    """How many results match a filter."""

    number: int
    is_all: bool
    """Whether there are no more than the number."""


class Stopwatch:
    """Bounds the time of several counts."""

    def __init__(self, cpu_seconds: float, seconds: float) -> None:
        """Start. cpu_seconds: of this thread's processor time; seconds: of any, for a slow disk."""
        self._cpu_end = time.thread_time() + cpu_seconds
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether one of both has passed."""
        return time.thread_time() > self._cpu_end or time.monotonic() > self._end


def count_results(db: sqlite3.Connection, wanted: ResultFilter, most: int, stopwatch: Stopwatch) -> BoundedCount:
    """Count the results that match a filter, up to most of them, and no longer than the stopwatch runs."""
    number = 0
    db.set_progress_handler(lambda: stopwatch.is_over, _STEPS)
    try:
        for condition, values in conditions_of(db, wanted):
            query = f"SELECT count(*) FROM (SELECT 1 FROM photo WHERE {condition} LIMIT ?)"  # noqa: S608
            number += db.execute(query, (*values, most + 1 - number)).fetchone()[0]
    except sqlite3.OperationalError:
        if not stopwatch.is_over:
            raise
        return BoundedCount(number, is_all=False)
    finally:
        db.set_progress_handler(None, 0)
    return BoundedCount(min(number, most), is_all=number <= most)
