"""Workers that meet with photos that hang, that take all memory, that find bugs: the others go on."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.daemon.daemon import Daemon
from dogid.inbox.read import ReadPhoto, read_photo
from dogid.ledger import queries
from dogid.ledger.database import open_for_reading
from dogid.model import classify_photo as classify_module
from dogid.photo import decode as photo_module
from dogid.photo.decode import DEFAULT_MAX_PIXELS, DecodedPhoto, decode, limit_pixels
from dogid.result_document import Result
from dogid.settings import Settings
from tests.support.photos import photo, put
from tests.support.waiting import eventually

HANGS = photo(1)


@pytest.fixture
def service(inbox: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon in this process, without its HTTP server, that gives a photo a second and has two workers."""
    yield Daemon(Settings(inbox=inbox, state=tmp_path / "state", decode_timeout=1.0, workers=2, settle=0.5))
    limit_pixels(DEFAULT_MAX_PIXELS)


def result(service: Daemon, name: str, *statuses: str) -> Result:
    """Wait until a file has one of these statuses; return its result."""
    db = open_for_reading(service.state)

    def ask() -> Result | None:
        found = {item["file"]: item for item in queries.list_results(db, queries.ResultFilter(limit=1000))}
        return found[name] if name in found and found[name]["status"] in statuses else None

    try:
        return eventually(ask, f"{name} is {statuses}")
    finally:
        db.close()


@pytest.mark.parametrize("hanging", [1, 5])
def test_photos_whose_decoding_hangs_fail_as_too_large_and_the_others_go_on(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch, hanging: int
) -> None:
    let_go = threading.Event()

    def hang_on_some(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
        if data == HANGS:
            let_go.wait()
        return decode(data, size)

    with service.running():
        monkeypatch.setattr(classify_module, "decode", hang_on_some)
        try:
            for number in range(hanging):
                put(inbox / f"hangs{number}.jpg", HANGS)
            for number in range(hanging):
                failed = result(service, f"hangs{number}.jpg", "failed")
                assert failed["error"]["code"] == "too_large"
                assert "decode_timeout" in failed["error"]["message"]
            put(inbox / "good.jpg", photo(2))
            assert result(service, "good.jpg", "classified")["error"] is None
        finally:
            let_go.set()


def test_a_late_answer_of_a_worker_that_was_given_up_is_not_written(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, gone = threading.Event(), threading.Event()

    def hang(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
        if data == HANGS:
            let_go.wait()
            gone.set()
        return decode(data, size)

    with service.running():
        monkeypatch.setattr(classify_module, "decode", hang)
        put(inbox / "late.jpg", HANGS)
        failed = result(service, "late.jpg", "failed")
        let_go.set()
        assert gone.wait(60)
        put(inbox / "next.jpg", photo(3))
        result(service, "next.jpg", "classified")
        assert result(service, "late.jpg", "failed", "classified") == failed


def test_workers_survive_a_machine_without_memory_and_the_photo_is_tried_again(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [5]

    def starved(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
        if left[0] > 0:
            left[0] -= 1
            raise MemoryError
        return decode(data, size)

    with service.running():
        monkeypatch.setattr(classify_module, "decode", starved)
        put(inbox / "a.jpg", photo(4))
        assert result(service, "a.jpg", "classified")["label"]
        assert left == [0]


def test_a_photo_that_alone_takes_all_memory_fails_as_too_large(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(_image: object) -> object:
        raise MemoryError

    with service.running():
        monkeypatch.setattr(photo_module, "_plain", starved)
        put(inbox / "a.jpg", photo(5))
        assert result(service, "a.jpg", "failed")["error"]["code"] == "too_large"
        monkeypatch.undo()
        put(inbox / "b.jpg", photo(6))
        result(service, "b.jpg", "classified")


def test_a_bug_that_one_photo_finds_holds_up_no_other(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
        if data == HANGS:
            raise ZeroDivisionError("a bug")
        return decode(data, size)

    with service.running():
        monkeypatch.setattr(classify_module, "decode", buggy)
        put(inbox / "finds.jpg", HANGS)
        for number in range(2, 6):
            put(inbox / f"{number}.jpg", photo(number))
        for number in range(2, 6):
            result(service, f"{number}.jpg", "classified")
        waiting = result(service, "finds.jpg", "pending")
        monkeypatch.undo()
        assert result(service, "finds.jpg", "classified")["id"] == waiting["id"]


def test_an_error_in_an_event_handler_ends_neither_the_watching_nor_the_photo(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler = service._reconciler
    with service.running():
        eventually(lambda: reconciler.status.last_scan, "the first scan is done")
        watch = reconciler._watch
        assert watch is not None
        original = reconciler._on_event
        failures = []

        def broken(wakeup: object) -> None:
            failures.append(wakeup)
            raise RuntimeError("a bug in the handler")

        monkeypatch.setattr(watch._events, "_on_event", broken)
        put(inbox / "a.jpg", photo(7))
        result(service, "a.jpg", "classified")
        eventually(lambda: failures, "the handler has failed")
        assert not watch.is_stale()
        monkeypatch.setattr(watch._events, "_on_event", original)
        put(inbox / "b.jpg", photo(8))
        result(service, "b.jpg", "classified")


def test_a_wall_clock_that_jumps_while_photos_come_loses_none(
    service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = iter([0, 4_000_000_000_000, -1_000_000, 1_700_000_000_000] * 10_000)
    monkeypatch.setattr(time, "time_ns", lambda: next(walls) * 1_000_000)
    with service.running():
        for number in range(8):
            put(inbox / f"{number}.jpg", photo(number))
        for number in range(8):
            result(service, f"{number}.jpg", "classified")


def test_a_slow_disk_is_not_the_photos_fault(service: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def slow(folder: Path, path: bytes, max_bytes: int) -> ReadPhoto:
        time.sleep(service.settings.decode_timeout + 0.7)  # longer than the clerk waits for a decoder
        return read_photo(folder, path, max_bytes)

    monkeypatch.setattr("dogid.pipeline.worker.read_photo", slow)
    put(inbox / "a.jpg", photo(2))
    with service.running():
        assert result(service, "a.jpg", "classified", "failed")["status"] == "classified"
