"""The state of a daemon as MQTT has it: one JSON document, retained."""

import datetime as dt
import shutil
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from dogid.ledger import gallery_queries, queries
from dogid.outputs.output import OutputContext
from dogid.result_document import Result

_MOST_LABELS = 1000  # each costs a query whenever the state is read


def find_newest(db: sqlite3.Connection) -> Result | None:
    """Return the newest photo that was classified; None where there is none."""
    return next(queries.iterate_results(db, queries.ResultFilter(limit=1, status="classified")), None)


def read_state(context: OutputContext, labels: Sequence[str]) -> dict[str, Any]:
    """Return the state document.

    labels: of the model; those have a count for today, be it 0, and so have others that photos of today have.
    """
    db = context.reader()
    newest = find_newest(db) or {}
    today = count_today(db, labels, dt.datetime.now().astimezone())
    status = context.read_status()
    health = context.read_health()
    problem = status["watcher"]["trouble"] or (health.problem if health.ok else health.reason)
    disk = shutil.disk_usage(context.folder.parent if context.folder.parent.exists() else context.inbox)
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
        "classified": status["counts"]["classified"],
        "failed": status["counts"]["failed"],
        "pending": status["counts"]["pending"],
        "healthy": health.ok and problem is None,
        "health": problem or "ok",
        "disk_used_percent": round(100 * (1 - disk.free / disk.total)),
        "disk_free_gb": round(disk.free / 1e9, 1),
        "model": status["model"]["name"],
    }


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
