"""A folder and its ledger, for the tests of the ledger."""

import os
from hashlib import sha256
from pathlib import Path

from dogid.inbox.scan import FoundFile, find_file
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Job, Timings
from tests.support.clocks import SetClock

NOON = 1_700_000_000_000


class Inbox:
    """A folder and its ledger, with a clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "inbox"
        self.state = folder / "state"
        self.folder.mkdir()
        self.state.mkdir()
        self.clock = SetClock([NOON, 5_000])
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.state, lambda path: find_file(self.folder, path), self.clock)
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

    def states(self) -> dict[str, str]:
        rows = self.db.execute("SELECT path, state FROM photo WHERE state != 'superseded'")
        return {bytes(row["path"]).decode(): row["state"] for row in rows}
