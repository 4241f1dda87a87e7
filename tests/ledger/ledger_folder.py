"""A folder and its ledger, for the tests of the ledger."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, find_file
from dogid.ledger.database import open_for_reading
from dogid.ledger.histories import read_history_page
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Failed, Job, Timings
from tests.support.clocks import SetClock
from tests.support.photos import put

NOON = 1_700_000_000_000

_OVERWRITE = f"""
WITH RECURSIVE version (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM version WHERE id < :count)
INSERT INTO photo (id, path, inode, size, mtime_ns, state, seen_at, superseded_by, history_id, classified_at, model_id,
    label, score, scores, sha256, width, height, seq)
SELECT id, x'61', 7, 100, id, iif(id = :count, 'classified', 'superseded'), {NOON} + 1000 * id,
    iif(id = :count, NULL, id + 1), 1, {NOON} + 1000 * id + 500, 1,
    'cat', 1.0, '{{"cat": 1.0}}', printf('%064x', id), 1, 1, id FROM version
"""


def insert_versions(ledger: Ledger, count: int) -> None:
    """Fill a new ledger with a file `a` that was overwritten: by SQL, as a commit for each would take minutes."""
    ledger.register_model("m.tflite", "00", ("cat",))
    ledger.connection.db.execute("PRAGMA foreign_keys = OFF")
    ledger.connection.db.execute(_OVERWRITE, {"count": count})
    ledger.connection.db.execute("PRAGMA foreign_keys = ON")


class Inbox:
    """A folder and its ledger, with a clock that the test sets."""

    def __init__(self, folder: Path, keep_versions: int = 0) -> None:
        self.keep_versions = keep_versions
        self.folder = folder / "inbox"
        self.state = folder / "state"
        self.folder.mkdir()
        self.state.mkdir()
        self.clock = SetClock([NOON, 5_000])
        self.find: Callable[[bytes], FoundFile | None] = lambda path: find_file(self.folder, path)
        self.doubtful: list[FoundFile] = []
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.state, lambda path: self.find(path), self.clock, keep_versions=self.keep_versions)
        self.ledger.on_doubtful = self.doubtful.extend
        self.model_id = self.ledger.register_model("m.tflite", "00", ("cat",))
        self.db = open_for_reading(self.state)

    def reopen(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.db.close()
        self.ledger.close()

    def observe(self, *names: str, wake: bool = False) -> int:
        return len(self.ledger.observe([self.look(name) for name in names], wake=wake))

    def look(self, name: str) -> FoundFile:
        found = find_file(self.folder, name.encode())
        assert found is not None
        return found

    def job(self) -> Job:
        (job,) = self.ledger.claim(1, ())
        return job

    def classify(self, job: Job, label: str = "cat") -> None:
        data = (self.folder / os.fsdecode(job.path)).read_bytes()
        digest = sha256(data).hexdigest()
        scores, timings = {label: 1.0}, Timings(1, 1, 1)
        version = self.look(os.fsdecode(job.path)).version
        self.ledger.record([Classified(job, version, digest, 1, 1, scores, self.model_id, timings)])

    def overwrite(self, name: str, text: str) -> None:
        """Give a file another content, and that a result."""
        put(self.folder / name, text.encode())
        self.clock.advance(1000)
        self.observe(name)
        self.classify(self.job())

    def states(self) -> dict[str, str]:
        rows = self.db.execute("SELECT path, state FROM photo WHERE state != 'superseded'")
        return {bytes(row["path"]).decode(): row["state"] for row in rows}


def add(inbox: Inbox, name: str) -> Job:
    """Put a photo into the inbox and return its job."""
    put(inbox.folder / name, name.encode())
    inbox.observe(name)
    return job_of(inbox, name)


def add_classified(inbox: Inbox, name: str) -> int:
    """Put a photo into the inbox, give it a result, and return its id."""
    job = add(inbox, name)
    inbox.classify(job)
    return job.id


def job_of(inbox: Inbox, name: str) -> Job:
    """Return the job of a pending photo."""
    (job,) = (job for job in inbox.ledger.claim(9, ()) if job.path == name.encode())
    return job


def moved(inbox: Inbox, old: str, new: str) -> list[int]:
    """Rename a file, and have the ledger note it as the kernel reports it."""
    (inbox.folder / old).rename(inbox.folder / new)
    return inbox.ledger.record_rename(old.encode(), inbox.look(new))


def fail(inbox: Inbox, job: Job, code: PhotoCode) -> None:
    """Record that a photo has failed."""
    inbox.ledger.record([Failed(job, job.version, code, "bad")])


def events(inbox: Inbox, photo_id: int) -> list[tuple[str, str]]:
    """Return what happened to a photo besides being seen and answered, oldest first."""
    steps = reversed(read_history_page(inbox.db, photo_id).steps)
    own = {"seen", "classified", "failed"}
    return [(step["event"], step["detail"]) for step in steps if step["event"] not in own]


def versions(inbox: Inbox, photo_id: int) -> set[int]:
    """Return the ids of all versions in a photo's history."""
    return {step["result"] for step in read_history_page(inbox.db, photo_id).steps}
