"""Reads what outputs remember, also beside the process that owns the state folder."""

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import UsageError
from dogid.outputs.store_file import BUSY_SECONDS
from dogid.outputs.store_schema import FILE_NAME

MOST_PARKED = 1000
"""Of each output; then nothing more is parked: so many are rather a fault of the settings than of the deliveries."""
RULES = ""
"""The reader of the rules, beside the outputs: none is named so."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that waits for its output; or another delivery, which it refused and a person has it sent again."""

    number: int
    """Its place in the order of all events; 0 before it is stored."""
    output: str
    id: str
    seq: int
    rule: str
    count: int
    result_id: int
    at_ms: int
    kind: str
    decided_ms: int | None


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """What an output refused."""

    id: str
    rule: str | None
    """None: it is no event."""
    result_id: int | None
    reason: str
    at_ms: int
    """Of the refusal."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """How an output is doing."""

    sent: int = 0
    failed: int = 0
    parked: int = 0
    sent_at: int | None = None
    error: str | None = None
    error_since: int | None = None
    next_try: int | None = None
    missed: int = 0
    """Events whose results the ledger had no more when they were due."""


class StoreReader:
    """Reads the database, also beside the process that owns it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close it; later calls raise sqlite3.ProgrammingError."""
        with self._lock:
            self._db.close()

    def read_cursor(self, reader: str = RULES) -> int | None:
        """Return how far an output, or without its name the rules, have read the ledger; None where it is new."""
        with self._lock:
            row = self._db.execute("SELECT seq FROM cursor WHERE reader = ?", (reader,)).fetchone()
        return None if row is None or row[0] < 0 else int(row[0])

    def list_events(self, output: str, limit: int, after: int = 0) -> list[StoredEvent]:
        """Return up to limit events that wait for an output, in their order."""
        query = (
            "SELECT number, output, id, seq, rule, count, result_id, at, kind, decided FROM outbox"
            " WHERE output = ? AND number > ? ORDER BY number LIMIT ?"
        )
        with self._lock:
            return [StoredEvent(*row) for row in self._db.execute(query, (output, after, limit))]

    def count_events(self, output: str) -> int:
        """Return how many events wait for an output."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM outbox WHERE output = ?", (output,)).fetchone()[0])

    def list_parked(self, output: str, limit: int = MOST_PARKED) -> list[ParkedDelivery]:
        """Return up to limit deliveries that an output refused, the last one first."""
        query = "SELECT id, rule, result_id, reason, at FROM parked WHERE output = ? ORDER BY number DESC LIMIT ?"
        with self._lock:
            return [ParkedDelivery(*row) for row in self._db.execute(query, (output, limit))]

    def count_parked(self, output: str) -> int:
        """Return how many deliveries are parked that an output refused."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM parked WHERE output = ?", (output,)).fetchone()[0])

    def list_configured(self) -> list[tuple[str, str, bool]]:
        """Return name, type and whether it is enabled of each output of the daemon that runs, or has run last."""
        with self._lock:
            rows = self._db.execute("SELECT output, type, enabled FROM configured ORDER BY rowid").fetchall()
        return [(name, kind, bool(enabled)) for name, kind, enabled in rows]

    def read_state(self, output: str) -> StoredState:
        """Return how an output is doing."""
        with self._lock:
            row = self._db.execute("SELECT * FROM state WHERE output = ?", (output,)).fetchone()
        # of all columns: a daemon of an older dogid, which has not been restarted, has one less
        return StoredState() if row is None else StoredState(*row[1:])


def open_for_reading(state: Path) -> StoreReader | None:
    """Open what outputs remember, for reading alone; None where no output has run. Raise UsageError."""
    path = state / FILE_NAME
    if not path.exists():
        return None
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        db.execute("SELECT id FROM stream").fetchone()
    except sqlite3.Error as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return StoreReader(db)
