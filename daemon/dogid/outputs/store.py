"""What outputs remember over restarts: how far each got, what rules have for it, and what it could not send.

A database of its own beside the ledger: no output ever waits for, or slows, the writer of photos. Commits are not
forced to the disk, which would wear SD cards: after a power cut the last ones may be missing, all of them together,
and what was sent since is sent again with the same ids.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dogid.errors import UsageError
from dogid.outputs.output import Delivery
from dogid.outputs.store_file import draw_stream, open_for_writing
from dogid.outputs.store_reader import MOST_PARKED, RULES, StoreReader
from dogid.outputs.store_schema import FILE_NAME

log = logging.getLogger(__name__)


class OutputStore(StoreReader):
    """The database, for all threads of the process that owns the state folder."""

    def __init__(self, state: Path) -> None:
        """Open it, or make it; a damaged one is moved aside. Raise UsageError where it is of a later dogid."""
        self.path = state / FILE_NAME
        try:
            db = open_for_writing(self.path)
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
            db = open_for_writing(self.path)
        super().__init__(db)
        self.stream: str = self._db.execute("SELECT id FROM stream").fetchone()[0]
        """What ids of deliveries begin with."""
        if not self.stream:  # it comes from a backup, after which other deliveries had the same numbers
            self.stream = draw_stream()
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

    def set_cursor(self, seq: int, reader: str = RULES) -> None:
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
        stream = draw_stream()
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

    def drop_missed(self, output: str, numbers: Sequence[int]) -> int:
        """Delete events whose results the ledger has no more, by their numbers, and count them; return how many."""
        with self.transaction() as db:
            marks = ",".join("?" * len(numbers))
            query = f"DELETE FROM outbox WHERE output = ? AND number IN ({marks})"  # noqa: S608
            count = db.execute(query, (output, *numbers)).rowcount
            db.execute(
                "INSERT INTO state (output, missed) VALUES (?1, ?2)"
                " ON CONFLICT (output) DO UPDATE SET missed = missed + ?2",
                (output, count),
            )
        return count

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
            if self.count_parked(output) >= MOST_PARKED:
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


def forget_rules(state: Path) -> None:
    """Have rules that come later begin with what comes then: the settings have none now, and no output."""
    with contextlib.closing(OutputStore(state)) as store:
        store.forget_rules_cursor()
        store.note_configured(())
