"""The daemon's memory of photos: what is there, what waits, what was answered.

All writing goes through one connection under one lock; each public method is one transaction, on disk when it returns.
Only what `observe` notes is on disk with the next one: the folder would tell it again.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, Version, same_version
from dogid.ledger.database import is_damage, open_for_writing, suspect
from dogid.ledger.records import Classified, Failed, Job, Outcome, Waiting
from dogid.model.modelfile import ModelFile
from dogid.names import shown_name

_RENAME_CANDIDATES = 6  # rows with one inode that are looked at: hard links share an inode by the thousand
_RETRIES_TOLD = 50  # in a photo's history; trouble that lasts for months shall not fill the disk
_AFTER_SECOND_DEATH_MS = 5_000  # all others go first
_MOST_DOUBLINGS = 6
_UNSYNCED_IDS = 100_000  # more than are noticed between two results, each of which syncs what was noticed before
_JOB = "id, path, inode, size, mtime_ns, still_since, attempts, error_code"
_CURRENT = "path, id, inode, size, mtime_ns, state, error_code, due"

LookAt = Callable[[bytes], FoundFile | None]
"""Given a path relative to the inbox, what is there now."""


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


class Ledger:
    """The database, opened for writing by the one daemon that owns it."""

    def __init__(self, folder: Path, look_at: LookAt, clock: Clock, *, stable_inodes: bool = True) -> None:
        """look_at looks into the inbox; stable_inodes is false where its file system numbers files anew at will."""
        self._folder = folder
        self._look_at = look_at
        self._clock = clock
        self._stable_inodes = stable_inodes
        self._lock = threading.Lock()
        self._started = clock.steady_ms()
        self.changes = 0
        """How many transactions this process has committed: while it stays, answers from the ledger stay the same."""
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.suspect_damage()
            self._db.close()
            self._open()

    def _open(self) -> None:
        opened = open_for_writing(self._folder)
        self._db = opened.connection
        self.moved_aside = opened.moved_aside
        with self._transaction():
            # the steady clock of the process before ours means nothing here: what waited is tried now, and if its
            # trouble lasts, waits on as long as before
            self._db.execute("UPDATE photo SET due = 0 WHERE state = 'pending' AND due > 0")
            self._leave_a_gap()

    def _leave_a_gap(self) -> None:
        """After a power cut, give no id again that a lost row may have had: ids only grow for whoever saw them."""
        closed = self._db.execute("SELECT value FROM counter WHERE name = 'closed'").fetchone()
        if closed is not None and closed["value"] == 0:
            missing = "NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'photo')"
            self._db.execute(f"INSERT INTO sqlite_sequence (name, seq) SELECT 'photo', 0 WHERE {missing}")
            self._db.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'photo'", (_UNSYNCED_IDS,))
        self._note_closed(0)

    def _note_closed(self, closed: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO counter (name, value) VALUES ('closed', ?)", (closed,))

    def suspect_damage(self) -> None:
        """Have the database checked from end to end when it is opened next."""
        suspect(self._folder)

    def close(self) -> None:
        """Close the database, with its write-ahead log folded into it also where readers still have it open."""
        with contextlib.suppress(sqlite3.OperationalError), self._transaction():
            self._note_closed(1)
        with self._lock:
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()

    def register_model(self, model: ModelFile, labels: Sequence[str]) -> int:
        """Return the id by which results refer to a model."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO model (name, sha256, labels) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (model.name, model.sha256, json.dumps(labels, ensure_ascii=False)),
            )
            query = "SELECT id FROM model WHERE sha256 = ? AND name = ?"
            return int(self._db.execute(query, (model.sha256, model.name)).fetchone()[0])

    def observe(self, found: Sequence[FoundFile], *, wake: bool = False) -> list[int]:
        """Compare files as they are now with the ledger; return the ids of the photos that became pending or due.

        New files become pending; a file renamed keeps its row; one that changed after its result is superseded by a
        new pending row. With wake, pending ones among them are due at once: their writer has closed them, say.
        """
        with self._lock:
            current = self._current([file.path for file in found])
            changed = [file for file in found if self._needs_attention(current.get(file.path), file, wake=wake)]
        if not changed:
            return []
        # new names first: where photos hand their names on, each is found under its new one before its old one is taken
        changed.sort(key=lambda file: file.path in current)
        with self._transaction(durable=False):
            seen = [self._observe_one(file, wake=wake) for file in changed]
        return [photo_id for photo_id in seen if photo_id is not None]

    def moved(self, source: bytes, found: FoundFile) -> list[int]:
        """Note that source was renamed to found; return the id of the photo where it became pending or due."""
        with self._transaction():
            row = self._current([source]).get(source)
            if row is not None and _version(row) == found.version and not self._is_there(row):
                renamed = self._rename(row, found)
                return [] if renamed is None else [renamed]
        return self.observe([found], wake=True)

    def claim(self, count: int, taken: Collection[int], *, oldest: bool = False) -> list[Job]:
        """Return up to count photos that are due and not among taken (ids), newest first, or oldest first."""
        query = (
            f"SELECT {_JOB} FROM photo"  # noqa: S608
            " WHERE state = 'pending' AND due = 0 ORDER BY id {} LIMIT ?"
        )
        with self._lock:
            rows = self._db.execute(query.format("ASC" if oldest else "DESC"), (count + len(taken),)).fetchall()
        return [self._job(row) for row in rows if row["id"] not in taken][:count]

    def claim_these(self, ids: Collection[int]) -> list[Job]:
        """Return those photos among ids that are due."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT {_JOB} FROM photo WHERE id IN ({marks}) AND state = 'pending' AND due = 0"  # noqa: S608
        with self._lock:
            rows = self._db.execute(query, tuple(ids)).fetchall()
        return [self._job(row) for row in rows]

    def _job(self, row: sqlite3.Row) -> Job:
        still_since = row["still_since"]
        if not self._started <= still_since <= self._clock.steady_ms():
            still_since = self._started  # noted by a process before ours, on a clock that may have begun anew
        return Job(
            id=row["id"],
            path=bytes(row["path"]),
            version=_version(row),
            still_since=still_since,
            attempts=row["attempts"],
            waits_for=row["error_code"],
        )

    def wake_due(self) -> int | None:
        """Make photos due whose waiting time is over; return milliseconds until the next one's is, or None."""
        now = self._clock.steady_ms()
        earliest_query = "SELECT min(due) FROM photo WHERE state = 'pending' AND due > 0"
        with self._lock:
            (earliest,) = self._db.execute(earliest_query).fetchone()
        if earliest is not None and earliest <= now:
            with self._transaction():
                self._db.execute("UPDATE photo SET due = 0 WHERE state = 'pending' AND due > 0 AND due <= ?", (now,))
                (earliest,) = self._db.execute(earliest_query).fetchone()
        return None if earliest is None else max(1, earliest - now)

    def record(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write what became of jobs, all in one transaction; return what was news.

        The rest are outcomes of files that have changed since, and photos that were only touched. Raise
        sqlite3.OperationalError where the disk is full.
        """
        with self._transaction():
            group = self._group(outcomes)
            standing = [outcome for outcome in outcomes if self._still_stands(outcome, group)]
            news = [outcome for outcome in standing if self._record(outcome, group)]
            self._db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (group.seq,))
            return news

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
        """Write one outcome; return whether it was news."""
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

    def interrupted(self, ids: Sequence[int]) -> list[tuple[Job, int]]:
        """Note that the daemon died with these photos in hand; return those that it happened to before, and how often.

        Once may be any death. Those returned may be its cause; where they turn out not to be, and it goes on, they wait
        longer each time and never together.
        """
        suspects: list[tuple[Job, int]] = []
        with self._transaction():
            for photo_id in ids:
                query = f"SELECT {_JOB} FROM photo WHERE id = ? AND state = 'pending'"  # noqa: S608
                row = self._db.execute(query, (photo_id,)).fetchone()
                if row is None:
                    continue
                self._note(photo_id, "interrupted", "the daemon ended without stopping while it worked on this photo")
                query = "SELECT count(*) FROM event WHERE photo_id = ? AND kind = 'interrupted'"
                (deaths,) = self._db.execute(query, (photo_id,)).fetchone()
                if deaths > 1:
                    suspects.append((self._job(row), deaths))
                    wait_ms = len(suspects) * _AFTER_SECOND_DEATH_MS << min(deaths - 2, _MOST_DOUBLINGS)
                    due = self._clock.steady_ms() + wait_ms
                    self._db.execute("UPDATE photo SET due = ? WHERE id = ?", (due, photo_id))
        return suspects

    def forget(self, ids: Sequence[int]) -> int:
        """Delete answered rows, with the versions before them; return how many of ids are gone."""
        if not ids:
            return 0
        marks = ",".join("?" * len(ids))
        family = (
            f"WITH RECURSIVE family (id) AS (SELECT id FROM photo WHERE id IN ({marks}) AND state != 'pending'"  # noqa: S608
            " UNION SELECT photo.id FROM photo JOIN family ON photo.superseded_by = family.id)"
        )
        with self._transaction():
            self._db.execute(f"{family} DELETE FROM photo WHERE id IN (SELECT id FROM family)", ids)  # noqa: S608
        return len(ids)

    def _still_stands(self, outcome: Outcome, group: "_Group") -> bool:
        """Whether the row is pending and was not brought up to a newer file while the worker had it.

        If it was, the outcome is of the file before: the photo is taken up again, at once.
        """
        row = group.pending.get(outcome.job.id)
        if row is None:
            return False
        was_renamed = bytes(row["path"]) != outcome.job.path and not isinstance(outcome, Classified)
        if _version(row) in (outcome.job.version, outcome.version) and not was_renamed:
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
        self._note(former, "touched", "the file's date or place changed, its content did not")

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
        still = outcome.version == outcome.job.version
        self._db.execute(
            "UPDATE photo SET due = ?, inode = ?, size = ?, mtime_ns = ?, still_since = ?, error_code = ?,"
            " error_message = ?, attempts = attempts + 1 WHERE id = ? AND state = 'pending'",
            (
                now + outcome.delay_ms,
                *outcome.version,
                outcome.job.still_since if still else now,
                outcome.code,
                outcome.message,
                outcome.job.id,
            ),
        )
        if outcome.job.attempts < _RETRIES_TOLD or outcome.code != outcome.job.waits_for:
            self._note(outcome.job.id, "waiting", f"{outcome.code}: {outcome.message}")

    def _observe_one(self, file: FoundFile, *, wake: bool) -> int | None:
        """Bring the ledger up to a file; return the id of its photo where that became pending or due."""
        row = self._current([file.path]).get(file.path)
        if not self._needs_attention(row, file, wake=wake):
            return None  # a worker has answered since the first look
        if row is not None and _version(row) == file.version:
            if row["state"] == "pending":
                self._refresh(row, file, wake=wake)
            else:
                self._requeue(row)
            return int(row["id"])
        same = self._same_file(file)
        former = next((other for other in same if not self._is_there(other)), None)
        if former is not None:
            return self._rename(former, file)
        if row is None:
            photo_id = self._insert(file)
        elif row["state"] == "pending":
            photo_id = row["id"]
            self._refresh(row, file, wake=wake)
        else:
            photo_id = self._supersede(row, file)
        if same:
            self._note(photo_id, "linked", f"the same file as {shown_name(bytes(same[0]['path']))}")
        return photo_id

    def _refresh(self, row: sqlite3.Row, file: FoundFile, *, wake: bool) -> None:
        """Bring a pending row up to the file as it is now."""
        if _version(row) != file.version:
            self._db.execute(
                "UPDATE photo SET inode = ?, size = ?, mtime_ns = ?, still_since = ? WHERE id = ?",
                (*file.version, self._clock.steady_ms(), row["id"]),
            )
        if wake:
            self._db.execute("UPDATE photo SET due = 0 WHERE id = ?", (row["id"],))

    def _requeue(self, row: sqlite3.Row) -> None:
        """Take up a photo that had vanished and is there again: with the disk it lies on, or by another name."""
        self._db.execute(
            "UPDATE photo SET state = 'pending', seq = NULL, classified_at = NULL, error_code = NULL,"
            " error_message = NULL, due = 0, attempts = 0, still_since = ? WHERE id = ?",
            (self._clock.steady_ms(), row["id"]),
        )
        if row["state"] != "pending":
            self._note(row["id"], "returned", "the file is there again")

    def _supersede(self, row: sqlite3.Row, file: FoundFile) -> int:
        self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (row["id"],))
        successor = self._insert(file)
        self._db.execute("UPDATE photo SET superseded_by = ? WHERE id = ?", (successor, row["id"]))
        return successor

    def _insert(self, file: FoundFile) -> int:
        cursor = self._db.execute(
            "INSERT INTO photo (path, inode, size, mtime_ns, state, seen_at, still_since)"
            " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
            (file.path, *file.version, self._clock.wall_ms(), self._clock.steady_ms()),
        )
        return int(cursor.lastrowid or 0)

    def _same_file(self, file: FoundFile) -> list[sqlite3.Row]:
        """Current rows of other names with the same inode, size and date: former names of the file, or links to it."""
        return self._db.execute(
            f"SELECT {_CURRENT} FROM photo WHERE inode = ? AND state != 'superseded'"  # noqa: S608
            " AND size = ? AND mtime_ns = ? AND path != ? LIMIT ?",
            (*file.version, file.path, _RENAME_CANDIDATES),
        ).fetchall()

    def _is_there(self, row: sqlite3.Row) -> bool:
        """Whether the very file of a row is where it was: another may have come in its place."""
        found = self._look_at(bytes(row["path"]))
        return found is not None and found.version == _version(row)

    def _rename(self, row: sqlite3.Row, file: FoundFile) -> int | None:
        """Give a row its file's new name; return its id where the photo became pending or due."""
        replaced = self._current([file.path]).get(file.path)
        if replaced is not None:
            self._db.execute(
                "UPDATE photo SET state = 'superseded', superseded_by = ? WHERE id = ?", (row["id"], replaced["id"])
            )
        self._db.execute("UPDATE photo SET path = ? WHERE id = ?", (file.path, row["id"]))
        self._note(row["id"], "renamed", f"from {shown_name(bytes(row['path']))} to {shown_name(file.path)}")
        if row["state"] == "pending" or row["error_code"] == PhotoCode.VANISHED:
            self._requeue(row)
            return int(row["id"])
        return None

    def _needs_attention(self, row: sqlite3.Row | None, file: FoundFile, *, wake: bool) -> bool:
        if row is None or not same_version(_version(row), file.version, stable_inodes=self._stable_inodes):
            return True
        if row["state"] == "pending":
            return wake and row["due"] > 0
        return bool(row["error_code"] == PhotoCode.VANISHED)

    def _current(self, paths: Sequence[bytes]) -> dict[bytes, sqlite3.Row]:
        marks = ",".join("?" * len(paths))
        query = f"SELECT {_CURRENT} FROM photo WHERE path IN ({marks}) AND state != 'superseded'"  # noqa: S608
        return {bytes(row["path"]): row for row in self._db.execute(query, paths)}

    def _note(self, photo_id: int, kind: str, detail: str) -> None:
        self._db.execute(
            "INSERT INTO event (photo_id, at, kind, detail) VALUES (?, ?, ?, ?)",
            (photo_id, self._clock.wall_ms(), kind, detail),
        )

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """One transaction. One that is not durable outlives the process but not a power cut, and costs no wait.

        https://sqlite.org/pragma.html#pragma_synchronous: with NORMAL the log is written in order but not synced; the
        next durable commit syncs what came before as well, so nothing is ever on disk without what it builds on.
        """
        with self._lock:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._roll_back()
                raise
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
            self.changes += 1

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite has rolled back by itself after some errors (disk full)
            self._db.execute("ROLLBACK")


def _version(row: sqlite3.Row) -> Version:
    return Version(row["inode"], row["size"], row["mtime_ns"])
