"""Recording the outcomes of photos: results, failures, and why some wait.

All of it happens inside a transaction of the ledger's.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.file_names import shown_name
from dogid.inbox.scan import FoundFile
from dogid.ledger.embeddings import EmbeddingWriter
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.outcomes import Classified, Failed, Outcome, Waiting
from dogid.ledger.schema import RETURNED, note, version_of

_NOTED_RETRIES = 50  # in a photo's history; trouble that lasts for months shall not fill the disk
_LONG_DELAY_MS = 4_000
_TOGETHER_MS = 1_000  # photos in long trouble are tried again in groups: an inbox that is gone may leave thousands
# Between the looks at two names of one scan. More takes a photo that was away for a while for one that was renamed.
_SAME_SCAN_MS = 60_000
_ANSWER = "id, sha256, model_id, error_code"
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(slots=True)
class _Group:
    """What the ledger knows of photos whose outcomes are written together."""

    pending: dict[int, sqlite3.Row]
    """Those that are still to be answered, by id."""
    formers: dict[tuple[int, str | None, int | str], int]
    """Answered versions by the id of the one that came after, content, and the model or the error code."""
    renamed: dict[int, tuple[int, str]]
    """By the id of a photo, the current row whose file was perhaps renamed to it, and that one's content."""
    seq: int
    """Of the latest result."""
    doubtful: list[FoundFile] = field(default_factory=list)
    """Files whose content has to be compared with their new result."""
    classified: list[tuple[int, Classified]] = field(default_factory=list)
    """Outcomes with a label, each with the id of the row that has it."""

    def next_seq(self) -> int:
        """Count one result."""
        self.seq += 1
        return self.seq

    def remove_former(self, former: int) -> None:
        """Let a version that has become part of a photo's history be the former one of no other photo."""
        self.formers = {key: photo_id for key, photo_id in self.formers.items() if photo_id != former}
        self.renamed = {key: row for key, row in self.renamed.items() if row[0] != former}


class OutcomeWriter:
    """Outcomes on their way into the database."""

    def __init__(self, db: sqlite3.Connection, clock: Clock, former_versions: FormerVersions) -> None:
        self._db = db
        self._former_versions = former_versions
        self._clock = clock
        self._embeddings = EmbeddingWriter(db, clock)

    def record(self, outcomes: Sequence[Outcome], written: Collection[int]) -> tuple[list[Outcome], list[FoundFile]]:
        """Write what became of jobs; return the outcomes that readers did not know, and doubtful files.

        The rest are outcomes of files that have changed since, and photos that were only touched. A file is doubtful if
        its ctime changed after it was read, or if it is among written: the ids of photos whose files were closed after
        writing while a worker had them.
        """
        group = self._group(outcomes)
        standing = [outcome for outcome in outcomes if self._still_stands(outcome, group, written)]
        recorded = [outcome for outcome in standing if self._record(outcome, group)]
        self._embeddings.store(group.classified)
        self._db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (group.seq,))
        return recorded, group.doubtful

    def _group(self, outcomes: Sequence[Outcome]) -> "_Group":
        """Read at once what is known of all these photos: each question costs a thread the interpreter's lock."""
        ids = [outcome.job.id for outcome in outcomes]
        marks = ",".join("?" * len(ids))
        pending = self._db.execute(
            f"SELECT id, path, inode, size, mtime_ns, ctime_ns, maybe_former_id FROM photo"  # noqa: S608
            f" WHERE id IN ({marks}) AND state = 'pending'",
            ids,
        ).fetchall()
        answered = self._db.execute(
            f"SELECT superseded_by, {_ANSWER} FROM photo WHERE superseded_by IN ({marks})"  # noqa: S608
            " AND sha256 IS NOT NULL ORDER BY id",
            ids,
        )
        (seq,) = self._db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()
        formers = {(row["superseded_by"], row["sha256"], row["model_id"] or row["error_code"]): int(row["id"])
                   for row in answered}  # fmt: skip
        renamed: dict[int, tuple[int, str]] = {}
        for row in pending:
            if row["maybe_former_id"] is not None:
                query = f"SELECT {_ANSWER}, state FROM photo WHERE id = ? AND sha256 IS NOT NULL"  # noqa: S608
                for former in self._db.execute(query, (row["maybe_former_id"],)):
                    formers[row["id"], former["sha256"], former["model_id"] or former["error_code"]] = int(former["id"])
                    if former["state"] != "superseded":
                        renamed[row["id"]] = int(former["id"]), former["sha256"]
        return _Group({row["id"]: row for row in pending}, formers, renamed, seq)

    def _record(self, outcome: Outcome, group: "_Group") -> bool:
        """Write one outcome; return whether readers did not know it."""
        if isinstance(outcome, Waiting):
            self._record_waiting(outcome)
            return True
        answer = outcome.model_id if isinstance(outcome, Classified) else outcome.code
        former = group.formers.get((outcome.job.id, outcome.sha256, answer))
        if former is not None:
            self._restore(former, outcome, bytes(group.pending[outcome.job.id]["path"]))
            group.remove_former(former)
            if isinstance(outcome, Classified):
                group.classified.append((former, outcome))
            return False
        if isinstance(outcome, Classified):
            self._record_classified(outcome, group.next_seq())
            group.classified.append((outcome.job.id, outcome))
        else:
            self._record_failed(outcome, group.next_seq())
        renamed = group.renamed.get(outcome.job.id)
        if renamed is not None and renamed[1] == outcome.sha256:
            self._join_renamed(renamed[0], outcome.job.id, bytes(group.pending[outcome.job.id]["path"]))
            group.remove_former(renamed[0])
        return True

    def _join_renamed(self, former: int, photo_id: int, path: bytes) -> None:
        """Make the row of a file under its name before a former version: another model has another answer."""
        (old_path,) = self._db.execute("SELECT path FROM photo WHERE id = ?", (former,)).fetchone()
        self._db.execute("UPDATE photo SET maybe_former_id = NULL WHERE maybe_former_id = ?", (former,))
        self._former_versions.join(former, photo_id)
        self._note_renamed(photo_id, bytes(old_path), path)

    def _still_stands(self, outcome: Outcome, group: "_Group", written: Collection[int]) -> bool:
        """Whether the row is pending and was not brought up to a newer file while the worker had it.

        If it was, the outcome is of the file before: the photo is taken up again, at once. So is one that was renamed
        meanwhile, since what was read under its former name may have been another photo.
        """
        row = group.pending.get(outcome.job.id)
        if row is None:
            return False
        version, path = version_of(row), bytes(row["path"])
        if path == outcome.job.path:
            has_content = not isinstance(outcome, Waiting) and outcome.sha256 is not None
            is_version_read = version in (outcome.job.version, outcome.version)
            # rights, owner, names or content changed after the file was read; which, its content says
            is_doubtful = not is_version_read or outcome.job.id in written
            if has_content and is_doubtful and version.has_same_stat(outcome.version):
                group.doubtful.append(FoundFile(path, version))
                return True
            if is_version_read:
                return True
        self._db.execute("UPDATE photo SET due = 0 WHERE id = ?", (outcome.job.id,))
        return False

    def _record_classified(self, outcome: Classified, seq: int) -> None:
        label, score = next(iter(outcome.scores.items()))
        self._db.execute(
            "UPDATE photo SET state = 'classified', seq = ?, classified_at = ?, model_id = ?, label = ?, score = ?,"
            " scores = ?, sha256 = ?, width = ?, height = ?, decode_ms = ?, invoke_ms = ?, total_ms = ?,"
            " taken_at = ?, inode = ?, size = ?, mtime_ns = ?, ctime_ns = ?, error_code = NULL, error_message = NULL,"
            " maybe_former_id = NULL, attempts = attempts + 1"
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
                outcome.taken_at,
                *outcome.version,
                outcome.job.id,
            ),
        )

    def _restore(self, former: int, outcome: Classified | Failed, path: bytes) -> None:
        """Bring back the result of a file that was only touched or renamed, under its new version and path."""
        (old_path, state, label, history, successor, absent_at) = self._db.execute(
            "SELECT path, state, label, history_id, superseded_by, absent_at FROM photo WHERE id = ?", (former,)
        ).fetchone()
        if successor not in (None, outcome.job.id):
            self._split_history(former, history)
        (own, seen_at) = self._db.execute(
            "SELECT history_id, seen_at FROM photo WHERE id = ?", (outcome.job.id,)
        ).fetchone()
        if own is not None and history != own:  # it was renamed to the name of another photo
            self._db.execute("UPDATE photo SET history_id = ? WHERE history_id = ? OR id = ?", (own, history, former))
        self._db.execute(
            "UPDATE photo SET superseded_by = ? WHERE superseded_by = ? AND id != ?",
            (former, outcome.job.id, former),
        )
        query = "UPDATE event SET photo_id = ? WHERE photo_id = ? AND kind = 'linked'"
        self._db.execute(query, (former, outcome.job.id))
        self._db.execute("DELETE FROM photo WHERE id = ?", (outcome.job.id,))
        self._db.execute("UPDATE photo SET maybe_former_id = NULL WHERE maybe_former_id = ?", (former,))
        self._db.execute(
            "UPDATE photo SET state = ?, superseded_by = NULL, path = ?, inode = ?, size = ?, mtime_ns = ?,"
            " ctime_ns = ?, absent_at = NULL WHERE id = ?",
            ("failed" if label is None else "classified", path, *outcome.version, former),
        )
        if bytes(old_path) == path and absent_at is not None:
            note(self._db, self._clock, former, "returned", RETURNED)
        elif state == "superseded" and successor == outcome.job.id:
            note(self._db, self._clock, former, "touched", "the file's date or place changed, its content did not")
        else:
            if absent_at is not None and abs(seen_at - absent_at) < _SAME_SCAN_MS:
                # it had not left: the scan missed it at one name before it was compared at the other
                self._db.execute(
                    "DELETE FROM event WHERE photo_id = ? AND kind = 'left' AND at >= ?", (former, absent_at)
                )
            self._note_renamed(former, bytes(old_path), path)

    def _note_renamed(self, photo_id: int, old: bytes, new: bytes) -> None:
        note(self._db, self._clock, photo_id, "renamed", f"from {shown_name(old)} to {shown_name(new)}")

    def _split_history(self, former: int, history: int) -> None:
        """Let the versions after one be those of another photo, which has taken its name."""
        (first,) = self._db.execute(
            "SELECT min(id) FROM photo WHERE history_id = ? AND id > ?", (history, former)
        ).fetchone()
        self._db.execute("UPDATE photo SET history_id = ? WHERE history_id = ? AND id > ?", (first, history, former))

    def _record_failed(self, outcome: Failed, seq: int) -> None:
        self._db.execute(
            "UPDATE photo SET state = 'failed', seq = ?, classified_at = ?, error_code = ?, error_message = ?,"
            " sha256 = ?, inode = ?, size = ?, mtime_ns = ?, ctime_ns = ?, maybe_former_id = NULL,"
            " attempts = attempts + 1 WHERE id = ? AND state = 'pending'",
            (
                seq,
                self._clock.wall_ms(),
                outcome.code,
                outcome.message,
                outcome.sha256,
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
            "UPDATE photo SET due = ?, inode = ?, size = ?, mtime_ns = ?, ctime_ns = ?, still_since = ?,"
            " error_code = ?, error_message = ?, attempts = iif(?, 0, attempts) + 1 WHERE id = ? AND state = 'pending'",
            (
                due,
                *outcome.version,
                outcome.job.unchanged_since if still else now,
                outcome.code,
                outcome.message,
                # few internal errors fail a photo: attempts that the machine had failed are not counted among them
                outcome.code is PhotoCode.INTERNAL and outcome.job.last_error != PhotoCode.INTERNAL,
                outcome.job.id,
            ),
        )
        if outcome.job.attempts < _NOTED_RETRIES or outcome.code != outcome.job.last_error:
            note(self._db, self._clock, outcome.job.id, "waiting", f"{outcome.code}: {outcome.message}")
