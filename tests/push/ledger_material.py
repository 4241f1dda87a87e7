"""A ledger with photos that are there and photos that have left, and what a daemon and its clients do with it."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from dogid.clock import Clock
from dogid.inbox.scan import ScanErrors, find_file, scan
from dogid.ledger import known_labels, queries
from dogid.ledger.audit import audit
from dogid.ledger.damage import DamagedRowError, is_damage
from dogid.ledger.database import open_for_reading
from dogid.ledger.histories import read_history_page
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Job, Timings
from dogid.ledger.review_writer import say_label
from dogid.ledger.reviews import list_changes_since, list_newest_embeddings, list_standing_reviews
from dogid.ledger.stored_rows import REPAIRS
from dogid.result_document import Result

LABELS = ("cat", "dog", "fox")
_BATCH = 100
_PHOTOS_PER_WORD = 3
_NETWORK, _EMBEDDING = "cd" * 32, bytes(range(256))
_MOST_ATTEMPTS = 4
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class Material:
    """An inbox, its sound ledger in a state folder that stays as it is, and its results by file name.

    People have said something about every third photo.
    """

    inbox: Path
    state: Path
    results: dict[str, Result]
    departed: frozenset[str]

    def copy(self, target: Path) -> Path:
        """Copy the state folder, for a case."""
        shutil.rmtree(target, ignore_errors=True)
        return Path(shutil.copytree(self.state, target))


def make_material(folder: Path, present: int, departed: int) -> Material:
    """Make a ledger with so many results of photos that are in the inbox, and of others that have left."""
    inbox, state = folder / "inbox", folder / "state"
    inbox.mkdir(parents=True)
    state.mkdir()
    for number in range(present + departed):
        (inbox / f"photo-{number:05}.jpg").write_bytes(b"photo %d" % number)
    user = Daemon(state, inbox)
    user.start()
    user.reconcile()
    leaving = [f"photo-{number:05}.jpg" for number in range(0, present + departed, 1 + present // max(1, departed))]
    leaving = leaving[:departed]
    for name in leaving:
        (inbox / name).unlink()
    user.ledger.note_left([name.encode() for name in leaving])
    for result in user.list_results()[::_PHOTOS_PER_WORD]:
        user.ledger.review([result["id"]], say_label(f"word on {result['file']}", "anna"))
    results = {result["file"]: result for result in user.list_results()}
    user.stop()
    return Material(inbox, state, results, frozenset(leaving))


@dataclass(slots=True)
class Daemon:
    """What a daemon does with a state folder, without its threads: it starts again where damage demands it."""

    state: Path
    inbox: Path
    restarts: int = -1
    ledger: Ledger = field(init=False)
    _model: int = field(init=False)

    def start(self) -> None:
        """Open the ledger, as each start of a daemon does."""
        self.restarts += 1
        self.ledger = Ledger(self.state, lambda path: find_file(self.inbox, path), Clock())
        self._model = self.ledger.register_model("model.tflite", "ab" * 32, LABELS)

    def stop(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    def reconcile(self) -> None:
        """Compare the inbox with the ledger, and classify what is pending, until nothing is."""
        files = list(scan(self.inbox, ScanErrors({})))
        for at in range(0, len(files), _BATCH):
            self._attempt(lambda at=at: self.ledger.observe(files[at : at + _BATCH]))  # type: ignore[misc]
        while jobs := self._attempt(lambda: self.ledger.claim(_BATCH, ())):
            self._attempt(lambda jobs=jobs: self.ledger.record([self._classify(job) for job in jobs]))  # type: ignore[misc]

    def maintain(self) -> None:
        """Look at all rows, as the daemon does where a reader has met a damaged one."""
        self._attempt(lambda: self.ledger.repairer.repair_other_tables())  # of the ledger that a restart opens
        after: int | None = 0
        while after is not None:
            after = self._attempt(lambda after=after: self.ledger.repairer.repair_rows(after))[0]  # type: ignore[misc]
        for table in REPAIRS:
            after = 0
            while after is not None:
                after = self._attempt(lambda table=table, after=after: self._repair_table(table, after))  # type: ignore[misc]
        if not self._attempt(self._is_consistent):
            self._attempt(lambda: self.ledger.repairer.rebuild_indexes())

    def _repair_table(self, table: str, after: int) -> int | None:
        """Repair a page of a table of the ledger that is open now; return what is to follow."""
        return self.ledger.repairer.repair_table(table, after)[0]

    def _is_consistent(self) -> bool:
        """Check the database as the daemon does every day."""
        db = open_for_reading(self.state)
        try:
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
        finally:
            db.close()

    def list_results(self) -> list[Result]:
        """Read what the clients of a daemon read; return all current results."""
        return self._attempt(self._read)

    def _read(self) -> list[Result]:
        db = open_for_reading(self.state)
        try:
            queries.count_by_status(db)
            known_labels.list_known_labels(db)
            found = queries.list_results(db, queries.ResultFilter(limit=1_000_000))
            queries.list_results_since(db, 0, 1_000_000)
            list_changes_since(db, 0, 1_000_000)
            list_standing_reviews(db, _NETWORK)
            list_newest_embeddings(db, _NETWORK, 1_000_000)
            for result in found[:: max(1, len(found) // 20)]:
                read_history_page(db, result["id"])
            audit(db, self.inbox)
            return found
        finally:
            db.close()

    def _attempt(self, action: Callable[[], _Answer]) -> _Answer:
        """Do something, with the repairs and restarts that its errors bring. Raise the error where they do not end."""
        for attempt in range(_MOST_ATTEMPTS):
            try:
                return action()
            except Exception as error:
                if attempt == _MOST_ATTEMPTS - 1:
                    raise
                if isinstance(error, DamagedRowError):
                    self.ledger.repairer.repair_other_tables()
                elif not self.ledger.repairer.repair_after(error):
                    if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
                        self.ledger.repairer.suspect_damage()
                    self.ledger.close()
                    self.start()
        raise AssertionError

    def _classify(self, job: Job) -> Classified:
        data = (self.inbox / os.fsdecode(job.path)).read_bytes()
        digest = sha256(data).hexdigest()
        first = 0.5 + int(digest[:4], 16) / 200_000
        label = LABELS[int(digest[0], 16) % 2]
        scores = {label: round(first, 6), LABELS[2]: round(1 - first, 6)}
        found = find_file(self.inbox, job.path)
        version = job.version if found is None else found.version
        return Classified(
            job, version, digest, 640, 480, scores, self._model, Timings(1.25, 2.5, 4.0), _NETWORK, _EMBEDDING
        )


def stable_part(result: dict[str, Any]) -> dict[str, Any]:
    """Return what does not depend on when a photo was classified."""
    names = ("file", "status", "label", "score", "scores", "sha256", "present", "reviewed")
    return {name: result[name] for name in names}
