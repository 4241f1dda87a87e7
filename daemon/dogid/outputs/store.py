"""What outputs remember over restarts: how far each got, what rules have for it, and what it could not send.

A database of its own beside the ledger: no output ever waits for, or slows, the writer of photos. Commits are not
forced to the disk, which would wear SD cards: after a power cut the last ones may be missing, all of them together,
and what was sent since is sent again with the same ids.
"""

import contextlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dogid.errors import UsageError
from dogid.outputs.output import Delivery
from dogid.outputs.store_schema import FILE_NAME, SCHEMA, UPGRADES, VERSION

log = logging.getLogger(__name__)

_BUSY_SECONDS = 10.0
_CACHE_KIB = 256
_MOST_PARKED = 1000
"""Of each output; then nothing more is parked: so many are rather a fault of the settings than of the deliveries."""
_RULES = ""  # the reader of the rules, beside the outputs: none is named so


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


class StoreReader:
    """Reads the database, also beside the process that owns it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close it; later calls raise sqlite3.ProgrammingError."""
        with self._lock:
            self._db.close()

    def read_cursor(self, reader: str = _RULES) -> int | None:
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

    def list_parked(self, output: str, limit: int = _MOST_PARKED) -> list[ParkedDelivery]:
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
        query = "SELECT sent, failed, parked, sent_at, error, error_since, next_try FROM state WHERE output = ?"
        with self._lock:
            row = self._db.execute(query, (output,)).fetchone()
        return StoredState() if row is None else StoredState(*row)


class OutputStore(StoreReader):
    """The database, for all threads of the process that owns the state folder."""

    def __init__(self, state: Path) -> None:
        """Open it, or make it; a damaged one is moved aside. Raise UsageError where it is of a later dogid."""
        self.path = state / FILE_NAME
        try:
            db = _open(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise UsageError(f"{self.path}: cannot be opened: {error}; is the disk full?") from error
            aside = self.path.with_name(f"{FILE_NAME}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            log.error(
                "%s is damaged (%s) and is now %s; outputs go on with new results, and rules forget what they sent",
                self.path, error, aside.name,
            )  # fmt: skip
            for suffix in ("-wal", "-shm", ""):
                part = self.path.with_name(FILE_NAME + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            db = _open(self.path)
        super().__init__(db)
        self.stream: str = self._db.execute("SELECT id FROM stream").fetchone()[0]
        """What ids of deliveries begin with."""
        if not self.stream:  # it comes from a backup, after which other deliveries had the same numbers
            self.stream = _draw_stream()
            with self.transaction():
                self._db.execute("UPDATE stream SET id = ?", (self.stream,))

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, to be used inside a transaction alone."""
        return self._db

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing; other threads wait meanwhile. One inside another is a part of it."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # a full disk may have ended it already
            self._db.execute("ROLLBACK")

    def set_cursor(self, seq: int, reader: str = _RULES) -> None:
        """Note how far an output, or without its name the rules, have read the ledger."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (reader, seq))

    def forget_rules_cursor(self) -> None:
        """Have rules that come later begin with what comes then."""
        with self.transaction() as db:
            db.execute("UPDATE cursor SET seq = -1 WHERE reader = ''")

    def read_last_cursor(self) -> int:
        """Return the furthest that any reader has read the ledger; 0 where there is none."""
        with self._lock:
            return max(0, int(self._db.execute("SELECT max(seq) FROM cursor").fetchone()[0]))

    def begin_stream(self, seq: int) -> None:
        """Draw a new id of the stream, and let all go on after seq: the ledger is another one."""
        stream = _draw_stream()
        with self.transaction() as db:
            db.execute("UPDATE stream SET id = ?", (stream,))
            db.execute("UPDATE cursor SET seq = ?", (seq,))
            db.execute("DELETE FROM outbox")
            db.execute("DELETE FROM parked")  # they name results of the former ledger
            db.execute("DELETE FROM unsent_label")
            db.execute("DELETE FROM open_burst")
        self.stream = stream

    def note_configured(self, outputs: Sequence[tuple[str, str, bool]]) -> None:
        """Note name, type and whether it is enabled of each output of the settings."""
        with self.transaction() as db:
            db.execute("DELETE FROM configured")
            db.executemany("INSERT INTO configured VALUES (?, ?, ?)", outputs)

    def keep_only(self, outputs: Sequence[str], rules: Sequence[str]) -> dict[str, int]:
        """Delete what is kept of outputs and rules that there are no more; return lost events by output."""
        with self.transaction() as db:
            marks, rule_marks = ",".join("?" * len(outputs)), ",".join("?" * len(rules))
            gone = f"NOT IN ({marks})"
            query = f"SELECT output, count(*) FROM outbox WHERE output {gone} GROUP BY output"  # noqa: S608
            lost = dict(db.execute(query, outputs).fetchall())
            for table in ("outbox", "parked", "state"):
                db.execute(f"DELETE FROM {table} WHERE output {gone}", outputs)  # noqa: S608
            db.execute(f"DELETE FROM cursor WHERE reader != '' AND reader {gone}", outputs)  # noqa: S608
            for table in ("last_event", "open_burst", "suppressed", "unsent_label"):
                db.execute(f"DELETE FROM {table} WHERE rule NOT IN ({rule_marks})", rules)  # noqa: S608
        return lost

    def note_sent(self, output: str, *, event: int | None, seq: int | None, count: int, at_ms: int) -> None:
        """Note that an output has events up to a number, and the changes up to seq: count deliveries more than before.

        None: of this kind nothing new.
        """
        with self.transaction() as db:
            if event is not None:
                db.execute("DELETE FROM outbox WHERE output = ? AND number <= ?", (output, event))
            if seq is not None:
                db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (output, seq))
            if count:
                db.execute(
                    "INSERT INTO state (output, sent, sent_at) VALUES (?1, ?2, ?3) ON CONFLICT (output) DO UPDATE SET"
                    " sent = sent + ?2, sent_at = ?3, error = NULL, error_since = NULL, next_try = NULL",
                    (output, count, at_ms),
                )

    def note_failed(self, output: str, error: str, at_ms: int, next_try: int) -> None:
        """Note that an output failed, and when it is tried again."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO state (output, failed, error, error_since, next_try) VALUES (?1, 1, ?2, ?3, ?4)"
                " ON CONFLICT (output) DO UPDATE SET failed = failed + 1, error = ?2,"
                " error_since = coalesce(error_since, ?3), next_try = ?4",
                (output, error, at_ms, next_try),
            )

    def note_ok(self, output: str) -> None:
        """Note that an output works, where it did not."""
        with self.transaction() as db:
            db.execute(
                "UPDATE state SET error = NULL, error_since = NULL, next_try = NULL"
                " WHERE output = ? AND error IS NOT NULL",
                (output,),
            )

    def park(self, output: str, delivery: Delivery, reason: str, at_ms: int) -> bool:
        """Keep what an output refused, with the reason; return False where too many are kept already."""
        with self.transaction() as db:
            if self.count_parked(output) >= _MOST_PARKED:
                return False
            db.execute(
                "INSERT INTO parked (output, id, result_id, rule, reason, at, seq, kind, count, happened)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (output, delivery.id, delivery.result["id"], delivery.rule, reason, at_ms, delivery.seq, delivery.kind,
                 delivery.count, delivery.at_ms),
            )  # fmt: skip
            db.execute("UPDATE state SET parked = parked + 1 WHERE output = ?", (output,))
        return True

    def retry_parked(self, output: str) -> int:
        """Put what is parked behind the events that wait for an output, in its order; return how much that is."""
        with self.transaction() as db:
            count = db.execute(
                "INSERT INTO outbox (output, id, seq, rule, count, result_id, at, kind) SELECT output, id, seq,"
                " coalesce(rule, ''), count, result_id, happened, kind FROM parked"
                " WHERE output = ? AND result_id IS NOT NULL ORDER BY number",
                (output,),
            ).rowcount
            db.execute("DELETE FROM parked WHERE output = ?", (output,))
        return count

    def discard_parked(self, output: str) -> int:
        """Delete what is parked of an output; return how much that was."""
        with self.transaction() as db:
            return db.execute("DELETE FROM parked WHERE output = ?", (output,)).rowcount


def explain_store_fault(error: sqlite3.Error) -> str:
    """Return for people why a database in the state folder cannot be used, and the way out."""
    way_out = "; is the disk of the state folder full?" if isinstance(error, sqlite3.OperationalError) else ""
    return f"{FILE_NAME} or the ledger cannot be read or written: {error}{way_out}"


def open_for_reading(state: Path) -> StoreReader | None:
    """Open what outputs remember, for reading alone; None where no output has run. Raise UsageError."""
    path = state / FILE_NAME
    if not path.exists():
        return None
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        db.execute("SELECT id FROM stream").fetchone()
    except sqlite3.Error as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return StoreReader(db)


def copy_store(state: Path, target: Path) -> None:
    """Copy what outputs remember, where there is something, into a file; a daemon that opens that gives other ids.

    Raise sqlite3.Error.
    """
    path = state / FILE_NAME
    if not path.exists():
        return
    with (
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        source.backup(copy)
        copy.execute("UPDATE stream SET id = ''")
        copy.execute("PRAGMA journal_mode = DELETE")  # all of it in one file


def forget_rules(state: Path) -> None:
    """Have rules that come later begin with what comes then: the settings have none now, and no output."""
    with contextlib.closing(OutputStore(state)) as store:
        store.forget_rules_cursor()
        store.note_configured(())


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON")  # as in the ledger
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # forced to the disk, as by default: ids begin with what is drawn
            rest = f"INSERT INTO stream VALUES ('{_draw_stream()}');\nPRAGMA user_version = {VERSION}"  # noqa: S608
            connection.executescript(f"BEGIN IMMEDIATE;\n{SCHEMA}\n{rest};\nCOMMIT;")
        elif version > VERSION:
            raise UsageError(f"{path}: written by a newer dogid; install that again, or move the file away")
        elif connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages are damaged")
        for former in range(version or VERSION, VERSION):
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{UPGRADES[former]}\nPRAGMA user_version = {former + 1};\nCOMMIT;"
            )
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _draw_stream() -> str:
    return secrets.token_hex(4)
