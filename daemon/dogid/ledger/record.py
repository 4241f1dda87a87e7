"""Writing down what became of photos: their results, failures, and why some wait.

All of it happens inside a transaction of the ledger's.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.ledger.outcomes import Classified, Failed, Outcome, Waiting
from dogid.ledger.schema import note, version_of

_NOTED_RETRIES = 50  # in a photo's history; trouble that lasts for months shall not fill the disk
_LONG_DELAY_MS = 4_000
_TOGETHER_MS = 1_000  # photos in long trouble are tried again in groups: an inbox that is gone may leave thousands
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(slots=True)
class _Group:
    """What the ledger knows of photos whose outcomes are written together."""

    pending: dict[int, sqlite3.Row]
    """Those that are still to be answered, by id."""
    formers: dict[tuple[int, str, int], int]
    """Answered versions by the id of the one that came after, content and model."""
    seq: int
    """Of the latest result."""

    def next_seq(self) -> int:
        """Count one result."""
        self.seq += 1
        return self.seq


class OutcomeWriter:
    """Outcomes on their way into the database."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def record(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write what became of jobs; return the outcomes that readers did not know.

        The rest are outcomes of files that have changed since, and photos that were only touched.
        """
        group = self._group(outcomes)
        standing = [outcome for outcome in outcomes if self._still_stands(outcome, group)]
        recorded = [outcome for outcome in standing if self._record(outcome, group)]
        self._db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (group.seq,))
        return recorded

    def _group(self, outcomes: Sequence[Outcome]) -> "_Group":
        """Read at once what is known of all these photos: each question costs a thread the interpreter's lock."""
        ids = [outcome.job.id for outcome in outcomes]
        marks = ",".join("?" * len(ids))
        pending = self._db.execute(
            f"SELECT id, path, inode, size, mtime_ns FROM photo WHERE id IN ({marks}) AND state = 'pending'",  # noqa: S608
            ids,
        )
        answered = self._db.execute(
            f"SELECT superseded_by, id, sha256, model_id FROM photo WHERE superseded_by IN ({marks})"  # noqa: S608
            " AND label IS NOT NULL ORDER BY id",
            ids,
        )
        (seq,) = self._db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()
        formers = {(row["superseded_by"], row["sha256"], row["model_id"]): int(row["id"]) for row in answered}
        return _Group({row["id"]: row for row in pending}, formers, seq)

    def _record(self, outcome: Outcome, group: "_Group") -> bool:
        """Write one outcome; return whether readers did not know it."""
        match outcome:
            case Classified():
                former = group.formers.get((outcome.job.id, outcome.sha256, outcome.model_id))
                if former is not None:
                    self._restore(former, outcome, bytes(group.pending[outcome.job.id]["path"]))
                    return False
                self._record_classified(outcome, group.next_seq())
            case Failed():
                self._record_failed(outcome, group.next_seq())
            case Waiting():
                self._record_waiting(outcome)
        return True

    def _still_stands(self, outcome: Outcome, group: "_Group") -> bool:
        """Whether the row is pending and was not brought up to a newer file while the worker had it.

        If it was, the outcome is of the file before: the photo is taken up again, at once.
        """
        row = group.pending.get(outcome.job.id)
        if row is None:
            return False
        was_renamed = bytes(row["path"]) != outcome.job.path and not isinstance(outcome, Classified)
        if version_of(row) in (outcome.job.version, outcome.version) and not was_renamed:
            return True
        self._db.execute("UPDATE photo SET due = 0 WHERE id = ?", (outcome.job.id,))
        return False

    def _record_classified(self, outcome: Classified, seq: int) -> None:
        label, score = next(iter(outcome.scores.items()))
        self._db.execute(
            "UPDATE photo SET state = 'classified', seq = ?, classified_at = ?, model_id = ?, label = ?, score = ?,"
            " scores = ?, sha256 = ?, width = ?, height = ?, decode_ms = ?, invoke_ms = ?, total_ms = ?,"
            " inode = ?, size = ?, mtime_ns = ?, error_code = NULL, error_message = NULL, attempts = attempts + 1"
            " WHERE id = ? AND state = 'pending'",
            (
                seq,
                self._clock.wall_ms(),
                outcome.model_id,
                label,
                score,
                _as_json(outcome.scores),
                outcome.sha256,
                outcome.width,
                outcome.height,
                outcome.timings.decode,
                outcome.timings.invoke,
                outcome.timings.total,
                *outcome.version,
                outcome.job.id,
            ),
        )

    def _restore(self, former: int, outcome: Classified, path: bytes) -> None:
        """Bring back the result of a file that was only touched, under its new version and path."""
        self._db.execute(
            "UPDATE photo SET superseded_by = ? WHERE superseded_by = ? AND id != ?",
            (former, outcome.job.id, former),
        )
        self._db.execute("DELETE FROM photo WHERE id = ?", (outcome.job.id,))
        self._db.execute(
            "UPDATE photo SET state = 'classified', path = ?, inode = ?, size = ?, mtime_ns = ? WHERE id = ?",
            (path, *outcome.version, former),
        )
        note(self._db, self._clock, former, "touched", "the file's date or place changed, its content did not")

    def _record_failed(self, outcome: Failed, seq: int) -> None:
        self._db.execute(
            "UPDATE photo SET state = 'failed', seq = ?, classified_at = ?, error_code = ?, error_message = ?,"
            " inode = ?, size = ?, mtime_ns = ?, attempts = attempts + 1 WHERE id = ? AND state = 'pending'",
            (
                seq,
                self._clock.wall_ms(),
                outcome.code,
                outcome.message,
                *outcome.version,
                outcome.job.id,
            ),
        )

    def _record_waiting(self, outcome: Waiting) -> None:
        now = self._clock.steady_ms()
        due = now + outcome.delay_ms
        if outcome.delay_ms >= _LONG_DELAY_MS:
            due += -due % _TOGETHER_MS
        still = outcome.version == outcome.job.version
        self._db.execute(
            "UPDATE photo SET due = ?, inode = ?, size = ?, mtime_ns = ?, still_since = ?, error_code = ?,"
            " error_message = ?, attempts = attempts + 1 WHERE id = ? AND state = 'pending'",
            (
                due,
                *outcome.version,
                outcome.job.unchanged_since if still else now,
                outcome.code,
                outcome.message,
                outcome.job.id,
            ),
        )
        if outcome.job.attempts < _NOTED_RETRIES or outcome.code != outcome.job.last_error:
            note(self._db, self._clock, outcome.job.id, "waiting", f"{outcome.code}: {outcome.message}")
