"""The ledger, the daemon's database of photos: which are there, which wait, and which have a result.

All writing goes through one connection under one lock, in transactions that are on disk when a method returns. What
`observe` and `record_rename` write, and when waiting photos are tried again, is on disk with the next one: should it
be lost, the folder still shows it.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.clock import Clock
from dogid.inbox.scan import FoundFile, LookAt, Version
from dogid.ledger.claims import Claims
from dogid.ledger.counters import correct_last_seq
from dogid.ledger.damage import is_damage
from dogid.ledger.database import open_for_writing, suspect
from dogid.ledger.embeddings import store_reviewed_embedding
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.limits import differ_from_noted, note_limits
from dogid.ledger.models import register_model
from dogid.ledger.observe import Assessment, FileObserver
from dogid.ledger.outcomes import Job, Outcome, Waiting
from dogid.ledger.pending import PendingPhotos
from dogid.ledger.presence import PresenceWriter, count_present, present_paths
from dogid.ledger.record import OutcomeWriter
from dogid.ledger.repairer import LedgerRepairer
from dogid.ledger.reserved_ids import ReservedIds
from dogid.ledger.transactions import WritingConnection

if TYPE_CHECKING:
    from dogid.ledger.review_writer import Word


class Ledger:
    """The database, opened for writing by the one daemon that owns it."""

    def __init__(
        self, folder: Path, look_at: LookAt, clock: Clock, *, stable_inodes: bool = True, keep_versions: int = 0
    ) -> None:
        """Open the ledger in folder, or make it.

        look_at looks into the inbox; stable_inodes is false where its file system may renumber files at any time;
        keep_versions is the number of former versions that are kept of a photo, 0 for all. Raise UsageError where a
        later dogid wrote the ledger, sqlite3.OperationalError where it cannot be written.
        """
        self.folder = folder
        """The state folder that holds the database."""
        self._look_at = look_at
        self._clock = clock
        self._stable_inodes = stable_inodes
        self._keep_versions = keep_versions
        self._claims = Claims()
        self.on_doubtful: Callable[[Sequence[FoundFile]], None] = lambda _: None
        """Called with files whose content has to be compared; `decide` takes the outcome."""
        self.on_foreign_change: Callable[[], None] = lambda: None
        """Called when another process has written."""
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            suspect(self.folder)
            self._db.close()
            self._open()

    def _open(self) -> None:
        opened = open_for_writing(self.folder)
        self._db = opened.connection
        self.connection = WritingConnection(self._db)
        """Writes; for what is no method here, under its lock."""
        self._transaction = self.connection.transaction
        self.moved_aside = opened.moved_aside
        """Where the ledger that was found damaged is kept."""
        self.salvaged = opened.salvaged
        """What the ledger has of a damaged one; None where there was none, or nothing could be read."""
        self.was_closed = opened.was_closed
        """Whether the process before has closed the ledger, or there was none."""
        self._former_versions = FormerVersions(self._db, self._keep_versions)
        self._observer = FileObserver(self._db, self._clock, self._former_versions, stable_inodes=self._stable_inodes)
        self._writer = OutcomeWriter(self._db, self._clock, self._former_versions)
        self._presence = PresenceWriter(self._db, self._clock)
        self._pending = PendingPhotos(self._db, self._clock)
        self._ids = ReservedIds(self.connection)
        self.repairer = LedgerRepairer(self.folder, self.connection, self._former_versions, self._look_at)
        """Mends what can be mended while the ledger is in use."""
        with self._transaction():
            correct_last_seq(self._db)
            self._pending.make_all_due()
            self._ids.skip_reserved()

    @property
    def changes(self) -> int:
        """How many transactions were seen: while it stays, answers from the ledger stay the same."""
        return self.connection.changes

    def keep_versions(self, count: int) -> None:
        """Keep at most count former versions of a photo from now on, 0 for all: at the next time that it changes."""
        with self.connection.lock:
            self._former_versions.keep = count

    def close(self) -> None:
        """Close the database, with its write-ahead log folded into it also where readers still have it open.

        One that is damaged, or for which there is no room, is closed as it is.
        """
        with contextlib.suppress(sqlite3.DatabaseError), self._transaction():
            self._ids.give_back()
        with self.connection.lock:
            with contextlib.suppress(sqlite3.DatabaseError):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()

    def register_model(self, name: str, sha256: str, labels: Sequence[str]) -> int:
        """Return the id by which results refer to a model: the name and sha256 of its file, its labels in order."""
        with self._transaction():
            return register_model(self._db, name, sha256, labels)

    def observe(self, found: Sequence[FoundFile], *, wake: bool = False, written: Collection[bytes] = ()) -> list[int]:
        """Compare files as they are now with the ledger; return the ids of the photos that became pending or due.

        They come in the order of found. New files become pending; a file renamed keeps its row; one that changed after
        its result is superseded by a new pending row. With wake, pending ones among them are due at once, since their
        writer has closed them, say; and returned, too, where they were due already. written: the paths of those that
        were closed after writing.
        """
        with self.connection.lock:
            current = self._observer.current([file.path for file in found])
            assessed = [
                (self._observer.assess(current.get(file.path), file, wake=wake, written=file.path in written), file)
                for file in found
            ]
            self._claims.note_written(row["id"] for path, row in current.items() if path in written)
            seen_again = self._observer.formers_at(found, current)
        if seen_again:
            with self._transaction(durable=False):
                self._observer.release_formers(seen_again)
        changed = [file for assessment, file in assessed if assessment is Assessment.CHANGED]
        self.on_doubtful([file for assessment, file in assessed if assessment is Assessment.DOUBTFUL])
        ids: dict[bytes, int | None] = {
            path: row["id"] for path, row in current.items() if wake and row["state"] == "pending"
        }
        # new names first: where photos hand their names on, each is found under its new one before its old one goes
        changed.sort(key=lambda file: file.path in current)
        looks: dict[bytes, Version | None] = {}
        while changed:
            with self._ids.transaction(len(changed)):
                done = self._observer.upsert_files(changed, looks, wake=wake, written=written)
            ids |= {file.path: photo_id for file, photo_id in zip(changed, done, strict=False)}
            changed = changed[len(done) :]
            if changed:
                # what is seen may be outdated when it is used. Then the change since has its own event, or the next
                # scan finds it, as of a file that changes just after a look inside a transaction
                looks |= self._look_at_other_names(changed)
        return [photo_id for file in found if (photo_id := ids.get(file.path)) is not None]

    def _look_at_other_names(self, files: Sequence[FoundFile]) -> dict[bytes, Version | None]:
        """Look, outside any transaction, at the other names that files have in the ledger."""
        with self.connection.lock:
            names = self._observer.other_names(files)
        found = {name: self._look_at(name) for name in names}
        return {name: None if file is None else file.version for name, file in found.items()}

    def record_rename(self, source: bytes, found: FoundFile) -> list[int]:
        """Note that the kernel reported that source was renamed to found; return the photo's id where that is pending.

        Its content is compared afterwards, as it may have been overwritten under its old name.
        """
        seen = self._look_at(source)
        with self._transaction(durable=False):
            renamed = self._observer.move(source, found, {source: None if seen is None else seen.version})
        if renamed is None:
            return self.observe([found], wake=True)
        return renamed or self.observe([found])

    def decide(self, found: FoundFile, sha256: str) -> list[int]:
        """Given the content of a doubtful file, return the photo's id where it is another than its result is of."""
        with self._ids.transaction(1):
            photo_id = self._observer.decide(found, sha256)
        return [] if photo_id is None else [photo_id]

    def names_of_changed(self, found: Sequence[FoundFile]) -> set[bytes]:
        """Return other names in the ledger of files that have changed: hard links have no events of their own."""
        if not self._stable_inodes:
            return set()
        with self.connection.lock:
            return self._observer.names_of_changed(found)

    def note_left(self, paths: Sequence[bytes]) -> int:
        """Note that files have left the inbox: results stay, and what has none goes. Return how many were there."""
        if not paths:
            return 0
        with self._transaction(durable=False):
            return sum(self._presence.note_left(path) for path in paths)

    def count_present(self) -> int:
        """Return how many photos are in the inbox, as far as the ledger knows."""
        with self.connection.lock:
            return count_present(self._db)

    def present_paths(self, after: bytes, count: int, folder: bytes = b"") -> list[bytes]:
        """Return up to count paths of photos in the inbox, or in a folder of it, in their order, that come after one.

        As far as the ledger knows; all are relative to the inbox.
        """
        with self.connection.lock:
            return present_paths(self._db, after, count, folder)

    def note_foreign_changes(self) -> None:
        """Let `changes` grow where another process has written, as `dogid forget` and `dogid label` do."""
        if self.connection.count_foreign_changes():
            self.on_foreign_change()

    def claim(self, count: int, taken: Collection[int], *, oldest: bool = False) -> list[Job]:
        """Return up to count photos that are due and not among taken (ids), newest first, or oldest first."""
        with self.connection.lock:
            return self._claims.add(self._pending.claim(count, taken, oldest=oldest))

    def claim_these(self, ids: Collection[int]) -> list[Job]:
        """Return those photos among ids that are due."""
        with self.connection.lock:
            return self._claims.add(self._pending.claim_these(ids))

    def wake_due(self) -> int | None:
        """Make photos due whose waiting time is over; return milliseconds until the next one's is, or None."""
        now = self._clock.steady_ms()
        with self.connection.lock:
            earliest = self._pending.next_due()
        if earliest is not None and earliest <= now:
            with self._transaction(durable=False):  # after a start all are due
                self._pending.make_due(now)
                earliest = self._pending.next_due()
        return None if earliest is None else max(1, earliest - now)

    def record(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write what became of jobs, all in one transaction; return the outcomes that readers did not know.

        The rest are outcomes of files that have changed since, and photos that were only touched. Raise
        sqlite3.OperationalError where the disk is full.
        """
        # a photo that waits is tried again in any case: trouble that lasts shall not wear out the disk
        durable = not all(isinstance(outcome, Waiting) for outcome in outcomes)
        with self.connection.lock:
            with self.connection.locked_transaction(durable=durable):
                recorded, doubtful = self._writer.record(outcomes, self._claims.written)
            # once they are on disk: where that fails, the next try needs to know what was written meanwhile
            self._claims.release({outcome.job.id for outcome in outcomes})
        self.on_doubtful(doubtful)
        return recorded

    def record_interruptions(self, ids: Collection[int], suspects: Collection[int]) -> None:
        """Note that the daemon died while photos of these ids were in progress, and have all suspects (ids) wait.

        One of them may be the cause: they are tried one after the other, later each time that the daemon has died.
        """
        with self._transaction():
            self._pending.note_interruptions(ids)
            self._pending.space_out(suspects)

    def note_limits(self, limits: Mapping[str, int]) -> int:
        """Note the limits of photos by the names of their settings; return how many photos become pending again.

        They are those that failed as too large, where a limit is higher than the one noted before.
        """
        with self.connection.lock:
            if not differ_from_noted(self._db, limits):
                return 0
        with self._transaction():
            return note_limits(self._db, self._clock, limits)

    def pending_among(self, ids: Collection[int]) -> list[int]:
        """Return those of ids whose photos are pending."""
        with self.connection.lock:
            return self._pending.pending_among(ids)

    def review(self, ids: Sequence[int], word: "Word") -> int:
        """Write a person's word on the contents of results, by id; return how many words were written.

        All get it or none. Raise UnknownResultError, or NoAnswerError.
        """
        from dogid.ledger.review_writer import add_reviews  # an idle daemon does without it

        with self._transaction():
            return add_reviews(self._db, ids, word, self._clock.wall_ms())

    def review_training_photos(self, photos: Mapping[str, str], word: "Word") -> int:
        """Write a person's word on photos that a model file carries, by content, with their labels in the file."""
        from dogid.ledger.review_writer import add_training_photo_reviews  # an idle daemon does without it

        with self._transaction():
            return add_training_photo_reviews(self._db, photos, word, self._clock.wall_ms())

    def store_reviewed_embeddings(self, network: str, data: Mapping[str, bytes]) -> None:
        """Store what a network made of reviewed contents later, by their sha256."""
        with self._transaction(durable=False):
            for sha256, embedding in data.items():
                store_reviewed_embedding(self._db, sha256, network, embedding, self._clock.wall_ms())

    def forget(self, ids: Sequence[int]) -> int:
        """Delete those of ids that are photos' current rows, with the versions before them; return how many."""
        from dogid.ledger.forget import delete_photos  # most ledgers keep all

        with self._transaction():
            return delete_photos(self._db, ids)
