"""Outputs on a real ledger, without a daemon: results come when a test says so."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from dogid.clock import Clock
from dogid.decoding.byte_budget import ByteBudget
from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoCode
from dogid.inbox.scan import find_file
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Failed, Timings
from dogid.ledger.queries import read_newest_seq
from dogid.ledger.readers import Readers
from dogid.ledger.review_writer import Word
from dogid.outputs.keeper import OutputKeeper
from dogid.outputs.output import Delivery, OutputContext, OutputError
from dogid.outputs.registry import BUILT_IN
from dogid.outputs.source import OutputSource
from dogid.pipeline.result_signal import ResultSignal
from dogid.settings import Settings
from dogid.status import Health
from tests.support.photos import put
from tests.support.waiting import eventually

NOON = 1_700_000_000_000
LABELS = ("cat", "dog", "pug")


_INSERT = """INSERT INTO photo (path, inode, size, mtime_ns, state, seen_at, classified_at, model_id, label, score,
    scores, sha256, width, height, decode_ms, invoke_ms, total_ms, seq)
    VALUES (?, 7, 1, ?, 'classified', ?, ?, 1, ?, ?, ?, ?, 1, 1, 1.0, 1.0, 1.0, ?)"""


class Answer(NamedTuple):
    """A result to be written as it is; times in milliseconds since 1970."""

    folder: str
    label: str
    score: float
    taken: int
    at: int


def insert_results(ledger: Ledger, answers: Sequence[Answer]) -> None:
    """Write results into a ledger by SQL, as for photos that are not looked at, in one transaction."""
    (first,) = ledger.connection.db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()
    rows = [
        (f"{answer.folder}/{seq}.jpg".encode(), answer.taken * 1_000_000, answer.at, answer.at, answer.label,
         answer.score, json.dumps({answer.label: answer.score}), f"{seq:064x}", seq)
        for seq, answer in enumerate(answers, first + 1)
    ]  # fmt: skip
    ledger.connection.db.execute("BEGIN")
    ledger.connection.db.executemany(_INSERT, rows)
    ledger.connection.db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (first + len(answers),))
    ledger.connection.db.execute("COMMIT")


class OutputRig:
    """An inbox, its ledger, and the outputs that a test sets; start and stop them as often as a test needs."""

    def __init__(self, folder: Path, clock: Clock | None = None, labels: Sequence[str] = LABELS) -> None:
        self.inbox, self.state = folder / "inbox", folder / "state"
        self.inbox.mkdir(parents=True)
        self.state.mkdir()
        self.clock = clock or Clock()
        self.labels = tuple(labels)
        self.thresholds: dict[str, float] = {}
        self.signal = ResultSignal()
        self.health = Health(ok=True, reason="ok", checked_at=0)
        self.status: dict[str, Any] = {"counts": {"pending": 0, "classified": 0, "failed": 0}}
        self.keeper: OutputKeeper | None = None
        self.open()

    def open(self) -> None:
        """Open the ledger, or make it."""
        self.ledger = Ledger(self.state, lambda path: find_file(self.inbox, path), self.clock)
        self.model_id = self.ledger.register_model("m.tflite", "00", self.labels)
        self.readers = Readers(self.state, lambda: None, lambda: self.thresholds)

    def add(
        self,
        name: str,
        label: str = "cat",
        score: float = 0.9,
        data: bytes | None = None,
        *,
        modified_ms: int | None = None,
        announce: bool = True,
    ) -> int:
        """Put a photo into the inbox, give it a result, and return its id.

        data: its bytes, else no photo's. modified_ms: its file's time, in milliseconds since 1970; else now.
        """
        content = name.encode("utf-8", "surrogateescape") if data is None else data
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, content)
        if modified_ms is not None:
            os.utime(path, (modified_ms / 1000, modified_ms / 1000))
        found = find_file(self.inbox, name.encode("utf-8", "surrogateescape"))
        assert found is not None
        self.ledger.observe([found])
        (job,) = self.ledger.claim(1, ())
        rest = [other for other in self.labels if other != label]
        scores = {label: score, **{other: (1 - score) / len(rest) for other in rest}}
        digest = sha256(content).hexdigest()
        self.ledger.record([Classified(job, found.version, digest, 320, 240, scores, self.model_id, Timings(1, 1, 1))])
        if announce:
            self.signal.announce()
        return job.id

    def add_failed(self, name: str) -> int:
        """Put a file into the inbox that fails, and return its id."""
        put(self.inbox / name, b"no photo")
        found = find_file(self.inbox, name.encode())
        assert found is not None
        self.ledger.observe([found])
        (job,) = self.ledger.claim(1, ())
        self.ledger.record([Failed(job, found.version, PhotoCode.UNSUPPORTED, "is no photo")])
        self.signal.announce()
        return job.id

    def review(self, photo_id: int, label: str) -> None:
        """Say that a photo shows something else."""
        self.ledger.review([photo_id], Word("labelled", label, "ann"))
        self.signal.announce()

    def source(self) -> OutputSource:
        """Return what a daemon gives its outputs."""
        return OutputSource(
            state=self.state,
            inbox=self.inbox,
            clock=self.clock,
            decoder=Decoder(ByteBudget(100 << 20), 10_000_000, 10.0),
            signal=self.signal,
            reader=self.readers.connection,
            list_labels=lambda: self.labels,
            read_health=lambda: self.health,
            max_bytes=lambda: 10_000_000,
            track_decoding=nullcontext,
        )

    def start(
        self, outputs: Mapping[str, Mapping[str, Any]], rules: Sequence[Mapping[str, Any]] = (), name: str = "barn"
    ) -> OutputKeeper:
        """Start outputs by their tables, in the place of those that run. Raise UsageError where a table is wrong."""
        if self.keeper is None:
            self.keeper = OutputKeeper(self.source())
            self.keeper.page_url, self.keeper.read_status = "http://barn:8000/", lambda: self.status
        self.keeper.start(self.keeper.prepare(Settings(outputs=outputs, rule=tuple(rules), name=name)))
        return self.keeper

    def stop(self, seconds: float = 10.0) -> None:
        """Stop the outputs."""
        if self.keeper is not None:
            self.keeper.request_stop()
            self.keeper.join(time.monotonic() + seconds)
            self.keeper = None

    def state_of(self, name: str) -> dict[str, Any]:
        """Return how an output is doing, as `/status` has it."""
        assert self.keeper is not None
        return next(state for state in self.keeper.states() if state["name"] == name)

    def wait_for(self, name: str, **values: object) -> dict[str, Any]:
        """Wait until the state of an output has these values; return it."""

        def reached() -> dict[str, Any] | None:
            state = self.state_of(name)
            return state if values.items() <= state.items() else None

        return eventually(reached, lambda: f"{name} reaches {values}: {self.state_of(name)}")

    def settle(self) -> None:
        """Wait until rules and outputs have done all that there is to do now."""
        assert self.keeper is not None
        newest = read_newest_seq(self.readers.connection())
        opening = self.keeper._opening
        assert opening is not None
        running = opening.running
        assert running is not None

        def is_done() -> bool:
            cursor = running._store.read_cursor()
            is_decided = running._engine is None or cursor == newest
            return is_decided and all(not state["backlog"] for state in running.describe())

        eventually(is_done, "all is decided and sent")

    def reopen_readers(self) -> None:
        """Read the ledger by connections of this process, which is a fork."""
        self.readers = Readers(self.state, lambda: None, lambda: self.thresholds)

    def replace_ledger(self) -> None:
        """Stop, and lose the ledger; a new one is made."""
        self.stop()
        self.ledger.close()
        for path in self.state.glob("ledger.db*"):
            path.unlink()
        self.open()

    def close(self) -> None:
        """Stop all."""
        self.stop()
        self.signal.close()
        self.ledger.close()


class Recorder:
    """An output that keeps what it gets, and fails as a test says. Register it by `Recorder.kind`."""

    def __init__(
        self, *, wants_all: bool = True, wants_events: bool = True, batch: int = 10, fault: OutputError | None = None
    ) -> None:
        self.wants_all, self.wants_events, self.batch = wants_all, wants_events, batch
        self.fault = fault
        """Raised instead of taking a delivery, as long as it is set."""
        self.refuses: Callable[[Delivery], bool] = lambda _: True
        """Which deliveries the fault is about."""
        self.taken: list[Delivery] = []
        self.batches: list[int] = []
        """Their sizes."""
        self.arrived_at: list[float] = []
        """Monotonic seconds of each."""
        self.gate = threading.Event()
        """Cleared: it hangs."""
        self.gate.set()
        self.closed = 0
        self.context: OutputContext | None = None

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        self.batches.append(len(deliveries))
        for number, delivery in enumerate(deliveries, 1):
            self.gate.wait()
            if self.fault is not None and self.refuses(delivery):
                raise self.fault
            self.taken.append(delivery)
            self.arrived_at.append(time.monotonic())
            acknowledged(number)

    def tend(self) -> float | None:
        return None

    def check(self) -> str:
        return "there"

    def close(self) -> None:
        self.closed += 1

    def register(self, monkeypatch: Any, kind: str = "recorder") -> None:
        """Have outputs of this type be this one."""
        monkeypatch.setitem(BUILT_IN, kind, f"{__name__}:make_{kind}")
        monkeypatch.setitem(globals(), f"make_{kind}", self._make)

    def _make(self, table: Mapping[str, Any], context: OutputContext) -> "Recorder":  # noqa: ARG002
        self.context = context
        return self
