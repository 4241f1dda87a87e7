"""How photos are dispatched and results recorded: a backlog's in groups, a new arrival's at once."""

import contextlib
import dataclasses
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dogid.daemon.daemon import Daemon
from dogid.decoding import decoder as decoder_module
from dogid.errors import DogidError
from dogid.ledger import queries
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Outcome
from dogid.model.classifier import load_model
from dogid.model.classify_photo import classify_photo
from dogid.model.shipped import shipped_model
from dogid.photo.decode import DEFAULT_MAX_PIXELS, decode, limit_pixels
from dogid.photo.extent.jpeg import JpegHeader
from dogid.photo.pixels import DecodedPhoto
from dogid.pipeline import pipeline as pipeline_module
from dogid.pipeline.dispatcher import JOBS_AHEAD
from dogid.settings import Settings
from tests.support.engines import refuse_worker_threads
from tests.support.photos import photo, put
from tests.support.waiting import TIMEOUT, eventually

SMALL = (32, 32)


@pytest.fixture
def daemon(inbox: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon in this process, without its HTTP server, with two workers."""
    yield Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=2, settle=0.5))
    limit_pixels(DEFAULT_MAX_PIXELS)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the photos of each transaction that records results, as they come."""
    found: list[list[str]] = []
    record = Ledger.record

    def note(ledger: Ledger, outcomes: Sequence[Outcome]) -> list[Outcome]:
        written = record(ledger, outcomes)
        found.append([outcome.job.path.decode() for outcome in written])
        return written

    monkeypatch.setattr(Ledger, "record", note)
    return found


def test_backlog_results_are_committed_in_groups(daemon: Daemon, inbox: Path, groups: list[list[str]]) -> None:
    data = photo(1, size=SMALL)
    for number in range(200):
        put(inbox / f"{number:03}.jpg", data)

    began = time.monotonic()
    with daemon.running():
        eventually(lambda: sum(map(len, groups)) == 200, "all are recorded")
    waits = (time.monotonic() - began) / pipeline_module._GATHER_SECONDS  # after each of which a group is closed

    assert sorted(name for group in groups for name in group) == [f"{number:03}.jpg" for number in range(200)]
    assert len(groups) < 30 + waits


def is_urgent(daemon: Daemon, name: str) -> bool:
    """Whether a photo has been dispatched as an arrival whose result is urgent."""
    found = queries.list_results(daemon.reader(), queries.ResultFilter(limit=1000))
    return any(daemon.pipeline._dispatcher.is_urgent(item["id"]) for item in found if item["file"] == name)


def test_outcomes_have_embeddings_unless_learning_is_off(
    daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[Outcome] = []
    record = Ledger.record

    def note(ledger: Ledger, outcomes: Sequence[Outcome]) -> list[Outcome]:
        recorded.extend(outcomes)
        return record(ledger, outcomes)

    monkeypatch.setattr(Ledger, "record", note)
    with daemon.running():
        put(inbox / "first.jpg", photo(1, size=SMALL))
        eventually(lambda: len(recorded) == 1, "one is recorded")
        daemon.reload(dataclasses.replace(daemon.settings, learning="off"))
        put(inbox / "second.jpg", photo(2, size=SMALL))
        eventually(lambda: len(recorded) == 2, "both are recorded")

    first, second = recorded
    assert isinstance(first, Classified)
    assert isinstance(second, Classified)
    classifier = load_model(shipped_model(), embeddings=True).classifier()
    classify_photo(photo(1, size=SMALL), classifier)
    assert (first.embedding, first.network) == (classifier.read_embedding(), classifier.network_name)
    assert (second.embedding, second.network) == (None, None)


def test_arrival_is_classified_while_the_queue_is_full(
    daemon: Daemon, inbox: Path, groups: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrival, step = photo(2, size=SMALL), threading.Semaphore(0)

    def decode_at_a_step(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if data != arrival:
            step.acquire()
        return decode(data, size, header)

    for number in range(300):
        put(inbox / f"{number:03}.jpg", photo(1, size=SMALL))
    monkeypatch.setattr(decoder_module, "decode", decode_at_a_step)

    with daemon.running():
        try:
            eventually(lambda: daemon.in_flight >= 2 * JOBS_AHEAD, "the queue is full")
            put(inbox / "arrival.jpg", arrival)
            eventually(lambda: is_urgent(daemon, "arrival.jpg"), "the arrival is dispatched beyond it")
            step.release(4)  # the two in work, and the two of the backlog's old end that may lie before
            eventually(lambda: any("arrival.jpg" in group for group in groups), "the arrival is recorded")
            assert sum(map(len, groups)) <= 5
        finally:
            step.release(1000)


def test_hanging_worker_is_replaced_while_the_ledger_is_locked(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, hanging = photo(1, size=SMALL), photo(2, size=SMALL)
    decoding, steps = threading.Semaphore(0), {slow: threading.Event(), hanging: threading.Event()}

    def decode_at_a_step(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if data in steps:
            decoding.release()
            steps[data].wait()
        return decode(data, size, header)

    monkeypatch.setattr(decoder_module, "decode", decode_at_a_step)
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=2, decode_timeout=3))
    daemon.ledger.connection.db.execute("PRAGMA busy_timeout = 100")
    with daemon.running(), contextlib.closing(sqlite3.connect(daemon.state / "ledger.db")) as other:
        put(inbox / "hangs.jpg", hanging)
        put(inbox / "slow.jpg", slow)
        assert decoding.acquire(timeout=TIMEOUT)
        assert decoding.acquire(timeout=TIMEOUT)
        other.execute("BEGIN EXCLUSIVE")
        steps[slow].set()
        eventually(lambda: "worker-2" in {thread.name for thread in threading.enumerate()}, "the worker is replaced")
        other.rollback()
        eventually(lambda: sum(daemon.counters.outcome_counts().values()) == 2, "both results are recorded")
        steps[hanging].set()
    limit_pixels(DEFAULT_MAX_PIXELS)


def test_failed_switch_frees_the_tried_engine(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    with daemon.running():
        pipeline, checks = daemon.pipeline, daemon.pipeline._checks
        other = dataclasses.replace(checks.engine)
        assert pipeline.validate_engine(other, 3, TIMEOUT) is None
        refuse_worker_threads(monkeypatch)
        with pytest.raises(DogidError):
            pipeline.switch_engine(other, 4)

        assert checks._trial is None
        assert [member.tried_classifier for member in checks._members] == [None, None]
        assert checks.engine is not other


def test_hanging_worker_without_replacement_loses_no_photo(
    inbox: Path, tmp_path: Path, groups: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, released = photo(2, size=SMALL), threading.Event()

    def decode_or_hang(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if data == hanging:
            released.wait()
        return decode(data, size, header)

    monkeypatch.setattr(decoder_module, "decode", decode_or_hang)
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=2, decode_timeout=1))
    with daemon.running():
        refuse_worker_threads(monkeypatch)
        put(inbox / "hangs.jpg", hanging)
        for number in range(10):
            put(inbox / f"{number}.jpg", photo(1, size=SMALL))
        eventually(lambda: sum(map(len, groups)) == 11, "all are recorded")
        eventually(lambda: "hangs" in daemon.health.reason, "the health check reports it")
        released.set()
    limit_pixels(DEFAULT_MAX_PIXELS)


def test_unexpected_error_costs_no_result(
    daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record, wake_due, busy = Ledger.record, Ledger.wake_due, [sqlite3.OperationalError("database is locked")]
    failures = [
        sqlite3.ProgrammingError("odd"),
        sqlite3.OperationalError("disk is full"),
        sqlite3.IntegrityError("UNIQUE constraint failed"),
    ]
    monkeypatch.setattr(pipeline_module, "_DISK_RETRY_SECONDS", 0.01)

    def fail_first(ledger: Ledger, outcomes: Sequence[Outcome]) -> list[Outcome]:
        if failures:
            raise failures.pop(0)
        return record(ledger, outcomes)

    def fail_once(ledger: Ledger) -> int | None:
        if busy:
            raise busy.pop()
        return wake_due(ledger)

    monkeypatch.setattr(Ledger, "record", fail_first)
    monkeypatch.setattr(Ledger, "wake_due", fail_once)
    with daemon.running():
        put(inbox / "a.jpg", photo(1, size=SMALL))
        eventually(lambda: queries.count_by_status(daemon.reader())["classified"] == 1, "it has its answer")
    assert "the ledger cannot be written, trying again: database is locked" in caplog.text
    assert "results could not be recorded; their photos are classified again" in caplog.text
    assert "results cannot be written, trying again: disk is full" in caplog.text


def test_stop_on_a_locked_ledger_leaves_photos_pending(
    daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decoding, go_on = threading.Event(), threading.Event()

    def decode_at_a_step(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        decoding.set()
        go_on.wait(TIMEOUT)
        return decode(data, size, header)

    monkeypatch.setattr(decoder_module, "decode", decode_at_a_step)
    daemon.ledger.connection.db.execute("PRAGMA busy_timeout = 100")
    with contextlib.closing(sqlite3.connect(daemon.state / "ledger.db")) as other:
        with daemon.running():
            put(inbox / "a.jpg", photo(1, size=SMALL))
            assert decoding.wait(TIMEOUT)
            other.execute("BEGIN IMMEDIATE")
            go_on.set()
            eventually(lambda: "results cannot be written, trying again" in caplog.text, "it tries")
        other.rollback()
        assert other.execute("SELECT state FROM photo").fetchall() == [("pending",)]


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.IntegrityError("UNIQUE constraint failed"),
        sqlite3.OperationalError("Could not decode to UTF-8 column 'sha256'"),
    ],
)
def test_damage_that_is_not_repaired_ends_the_pipeline(
    daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch, error: sqlite3.Error
) -> None:
    def fail(*_: object) -> list[Outcome]:
        raise error

    monkeypatch.setattr(Ledger, "record", fail)
    with daemon.running():
        put(inbox / "a.jpg", photo(1, size=SMALL))
        eventually(lambda: not daemon.pipeline.is_alive, "systemd is to restart the daemon")
        assert queries.count_by_status(daemon.reader())["pending"] == 1
