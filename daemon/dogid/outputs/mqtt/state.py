"""The state of a daemon as MQTT has it: one JSON document, retained."""

import datetime as dt
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dogid.ledger import gallery_queries, queries
from dogid.outputs.output import OutputContext
from dogid.result_document import Result

_STATUS_SECONDS = 10.0  # how old the model's name and the inbox's condition may be; the document costs 3 ms and more
_MOST_LABELS = 1000  # each costs a query whenever the state is read


def find_newest(db: sqlite3.Connection) -> Result | None:
    """Return the newest photo that was classified; None where there is none."""
    return next(queries.iterate_results(db, queries.ResultFilter(limit=1, status="classified")), None)


class StateReader:
    """Reads the state document; what rarely changes and costs most is read less often."""

    def __init__(self, context: OutputContext) -> None:
        self._context = context
        self._status: Mapping[str, Any] = {}
        self._status_until = 0.0
        self.cost = 0.0
        """Seconds of processor time that the last state took to count, which grows with the labels."""

    def forget(self) -> None:
        """Read all anew the next time, as after a change of the model."""
        self._status_until = 0.0

    def read(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the state document.

        labels: of the model; those have a count for today, be it 0, and so have others that photos of today have.
        """
        context, began = self._context, time.thread_time()
        db = context.reader()
        newest = find_newest(db) or {}
        today = count_today(db, labels, dt.datetime.now().astimezone())
        counts = queries.count_by_status(db)
        self.cost = time.thread_time() - began
        if time.monotonic() >= self._status_until:
            self._status = context.read_status()
            self._status_until = time.monotonic() + _STATUS_SECONDS
        health = context.read_health()
        problem = self._status["watcher"]["trouble"] or (health.problem if health.ok else health.reason)
        disk = shutil.disk_usage(_existing(context.folder))
        score = newest.get("score")
        return {
            "name": context.daemon_name,
            "label": newest.get("label"),
            "score": score,
            "certainty": None if score is None else round(100 * score, 1),
            "unsure": newest.get("unsure"),
            "file": newest.get("file"),
            "classified_at": newest.get("classified_at"),
            "today": today,
            "photos_today": sum(today.values()),
            "classified": counts["classified"],
            "failed": counts["failed"],
            "pending": counts["pending"],
            "healthy": health.ok and problem is None,
            "health": problem or "ok",
            "disk_used_percent": round(100 * (1 - disk.free / disk.total)),
            "disk_free_gb": round(disk.free / 1e9, 1),
            "model": self._status["model"]["name"],
        }


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def count_today(db: sqlite3.Connection, labels: Sequence[str], now: dt.datetime) -> dict[str, int]:
    """Return how many photos that came today have each label; today: in the time zone of now."""
    midnight = dt.datetime.combine(now.date(), dt.time(), now.tzinfo)
    (first,) = gallery_queries.find_first_ids_since(db, [round(midnight.timestamp() * 1000)])
    given = gallery_queries.list_given_labels(db, _MOST_LABELS)
    counts = {label: gallery_queries.count_between(db, label, first, queries.MAX_ID) for label in given}
    return {label: counts.get(label, 0) for label in labels} | {label: n for label, n in counts.items() if n}


def is_old(at_ms: int, seconds: float) -> bool:
    """Return whether a moment (milliseconds since 1970) lies longer than so many seconds ago."""
    return time.time() - at_ms / 1000 > seconds
