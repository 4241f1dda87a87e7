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
"""Further labels are not counted: each costs a query for each day."""

_NAMED = 5
"""Labels with a colour of their own; more colours are hard to distinguish."""
REST = "other labels"
"""The sum of the labels without a name in the counts."""
_MAX_AGE_SECONDS = 60.0
"""Counts are never older."""
_COST_FACTOR = 20
"""Counts are reused for this multiple of the time that counting took: so it takes a twentieth of the time at most."""


@dataclass(frozen=True, slots=True)
class DailyCounts:
    """Photos per day and label."""

    days: tuple[dt.date, ...]
    """Oldest first; the last is today."""
    series: tuple[tuple[str, tuple[int, ...]], ...]
    """(label, counts [days]) of the most frequent labels, most frequent first; the sum of all others last."""

    @property
    def totals(self) -> tuple[int, ...]:
        """Photos of each day, [days]."""
        return tuple(map(sum, zip(*(counts for _, counts in self.series), strict=True))) or (0,) * len(self.days)


class DailyCounter:
    """Counts again when there are new results, but for a small share of the time only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: DailyCounts | None = None
        self._seq = -1
        self._fresh_until = 0.0
        self._expires_at = 0.0

    def counts(self, db: sqlite3.Connection, now: dt.datetime) -> DailyCounts:
        """Return the counts of the days up to now, in the time zone of `now`; they may be a minute old."""
        with self._lock:
            seq, clock = queries.read_newest_seq(db), time.monotonic()
            last = self._last
            changed = seq != self._seq or clock > self._expires_at
            if last is None or last.days[-1] != now.date() or (changed and clock > self._fresh_until):
                last = self._last = count_photos(db, now)
                cost = time.monotonic() - clock
                self._seq = seq
                self._fresh_until = clock + min(_COST_FACTOR * cost, _MAX_AGE_SECONDS)
                self._expires_at = clock + _MAX_AGE_SECONDS  # retention deletes results without a new one
            return last


def count_photos(db: sqlite3.Connection, now: dt.datetime) -> DailyCounts:
    """Count the photos of each of the last DAYS days by their present label.

    db: connection to the ledger.
    now: decides which day is the last, and when days begin.
    """
    days, edges = _find_days(db, now)
    counted: list[tuple[str, tuple[int, ...]]] = []
    for label in gallery_queries.list_given_labels(db, MOST_LABELS):
        counts = _count_label(db, label, edges)
        if any(counts):
            counted.append((label, counts))
    counted.sort(key=lambda series: -sum(series[1]))
    return DailyCounts(days, _most_frequent(counted))


def count_photos_of_label(db: sqlite3.Connection, now: dt.datetime, label: str) -> DailyCounts:
    """Count the photos of each of the last DAYS days that have a label by the model. Others: see `count_photos`."""
    days, edges = _find_days(db, now)
    return DailyCounts(days, ((label, _count_label(db, label, edges)),))


def _find_days(db: sqlite3.Connection, now: dt.datetime) -> tuple[tuple[dt.date, ...], list[int]]:
    """Return the last days, and the id with which each begins and the last one ends."""
    days = tuple(now.date() - dt.timedelta(days=back) for back in reversed(range(DAYS)))
    edges = gallery_queries.find_first_ids_since(db, [_find_midnight(day, now) for day in days])
    return days, [*edges, queries.MAX_ID]


def _count_label(db: sqlite3.Connection, label: str, edges: list[int]) -> tuple[int, ...]:
    return tuple(gallery_queries.count_between(db, label, first, end) for first, end in itertools.pairwise(edges))


def _most_frequent(counted: list[tuple[str, tuple[int, ...]]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if len(counted) <= _NAMED + 1:
        return tuple(counted)
    rest = tuple(map(sum, zip(*(counts for _, counts in counted[_NAMED:]), strict=True)))
    return (*counted[:_NAMED], (REST, rest))


def _find_midnight(day: dt.date, now: dt.datetime) -> int:
    """Return when a day begins in the time zone of `now`, in milliseconds since 1970."""
    return round(dt.datetime.combine(day, dt.time(), now.tzinfo).timestamp() * 1000)
