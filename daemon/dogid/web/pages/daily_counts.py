"""How many photos got each label on each of the last days."""

import datetime as dt
import itertools
import sqlite3
import threading
import time
from dataclasses import dataclass

from dogid.ledger import gallery_queries, queries

DAYS = 14
MOST_LABELS = 1000
"""More than these are not counted: a model may know many, and an inbox seldom shows so many."""

_NAMED = 5
_REST = "other labels"
_LONGEST_SECONDS = 60.0
_COST_SHARE = 20  # counting may take a twentieth of the time, however large the ledger and slow the disk


@dataclass(frozen=True, slots=True)
class DailyCounts:
    """Photos per day and label."""

    days: tuple[dt.date, ...]
    """Oldest first; the last is today."""
    series: tuple[tuple[str, tuple[int, ...]], ...]
    """(label, [days]) of the most frequent labels, most frequent first; what is left over last, in one."""

    @property
    def totals(self) -> tuple[int, ...]:
        """Photos of each day, [days]."""
        return tuple(map(sum, zip(*(counts for _, counts in self.series), strict=True))) or (0,) * len(self.days)


class DailyCounter:
    """Counts anew when there are new results, but not so often that counting becomes the daemon's main work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: DailyCounts | None = None
        self._seq = -1
        self._good_until = 0.0
        self._stale_from = 0.0

    def counts(self, db: sqlite3.Connection, now: dt.datetime) -> DailyCounts:
        """Return the counts of the days up to now, in the time zone of now; up to a minute old."""
        with self._lock:
            seq, clock = queries.newest_seq(db), time.monotonic()
            last = self._last
            changed = seq != self._seq or clock > self._stale_from
            if last is None or last.days[-1] != now.date() or (changed and clock > self._good_until):
                last = self._last = daily_counts(db, now)
                cost = time.monotonic() - clock
                self._seq = seq
                self._good_until = clock + min(_COST_SHARE * cost, _LONGEST_SECONDS)
                self._stale_from = clock + _LONGEST_SECONDS  # photos may be forgotten without a new result
            return last


def daily_counts(db: sqlite3.Connection, now: dt.datetime) -> DailyCounts:
    """Count the photos of the last days by the label that they have now, each on the day that it was seen."""
    days = tuple(now.date() - dt.timedelta(days=back) for back in reversed(range(DAYS)))
    edges = gallery_queries.first_ids_since(db, [_midnight(day, now) for day in days])
    edges.append((1 << 63) - 1)
    counted: list[tuple[str, tuple[int, ...]]] = []
    for label in gallery_queries.labels_given(db, MOST_LABELS):
        counts = tuple(gallery_queries.count_between(db, label, first, end) for first, end in itertools.pairwise(edges))
        if any(counts):
            counted.append((label, counts))
    counted.sort(key=lambda series: -sum(series[1]))
    return DailyCounts(days, _foremost(counted))


def _foremost(counted: list[tuple[str, tuple[int, ...]]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if len(counted) <= _NAMED + 1:
        return tuple(counted)
    rest = tuple(map(sum, zip(*(counts for _, counts in counted[_NAMED:]), strict=True)))
    return (*counted[:_NAMED], (_REST, rest))


def _midnight(day: dt.date, now: dt.datetime) -> int:
    """When a day begins in the time zone of now, in milliseconds since 1970."""
    return round(dt.datetime.combine(day, dt.time(), now.tzinfo).timestamp() * 1000)
