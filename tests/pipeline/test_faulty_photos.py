"""Photos that hang, that take all memory or that find a bug: the others go on."""

import errno
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dogid.daemon.daemon import Daemon
from dogid.decoding import decoder as decoder_module
from dogid.inbox.read import ReadPhoto, read_photo
from dogid.ledger import queries
from dogid.ledger.database import open_for_reading
from dogid.photo.decode import DEFAULT_MAX_PIXELS, decode, limit_pixels
from dogid.photo.extent.jpeg import JpegHeader
from dogid.photo.pixels import DecodedPhoto
from dogid.result_document import Result
from dogid.settings import Settings
from tests.support.photos import photo, put
from tests.support.waiting import eventually

HANGS = photo(1)


@pytest.fixture
def daemon(inbox: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon in this process, without its HTTP server, that gives a photo a second and has two workers."""
    yield Daemon(Settings(inbox=inbox, state=tmp_path / "state", decode_timeout=1.0, workers=2, settle=0.5))
    limit_pixels(DEFAULT_MAX_PIXELS)


def result(daemon: Daemon, name: str, *statuses: str) -> Result:
    """Wait until a file has one of these statuses; return its result."""
    db = open_for_reading(daemon.state)

    def ask() -> Result | None:
        found = {item["file"]: item for item in queries.list_results(db, queries.ResultFilter(limit=1000))}
        return found[name] if name in found and found[name]["status"] in statuses else None

    try:
        return eventually(ask, f"{name} is {statuses}")
    finally:
        db.close()


@pytest.mark.parametrize("hanging", [1, 5])
def test_hanging_photos_fail_and_others_go_on(
    daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch, hanging: int
) -> None:
    released = threading.Event()

    def hang_on_some(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if data == HANGS:
            released.wait()
        return decode(data, size, header)

    with daemon.running():
        monkeypatch.setattr(decoder_module, "decode", hang_on_some)
        try:
            for number in range(hanging):
                put(inbox / f"hangs{number}.jpg", HANGS)
            for number in range(hanging):
                failed = result(daemon, f"hangs{number}.jpg", "failed")
                assert failed["error"]["code"] == "too_large"
                assert "decode_timeout" in failed["error"]["message"]
            put(inbox / "good.jpg", photo(2))
            assert result(daemon, "good.jpg", "classified")["error"] is None
        finally:
            released.set()


def test_late_answer_of_a_lost_worker_is_dropped(daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released, gone = threading.Event(), threading.Event()

    def hang(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if data == HANGS:
            released.wait()
            gone.set()
        return decode(data, size, header)

    with daemon.running():
        monkeypatch.setattr(decoder_module, "decode", hang)
        put(inbox / "late.jpg", HANGS)
        failed = result(daemon, "late.jpg", "failed")
        released.set()
        assert gone.wait(60)
        put(inbox / "next.jpg", photo(3))
        result(daemon, "next.jpg", "classified")
        assert result(daemon, "late.jpg", "failed", "classified") == failed


def test_photo_is_retried_while_there_is_no_memory(
    daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [5]

    def starved(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if left[0] > 0:
            left[0] -= 1
            raise MemoryError
        return decode(data, size, header)

    with daemon.running():
        monkeypatch.setattr(decoder_module, "decode", starved)
        put(inbox / "a.jpg", photo(4))
        assert result(daemon, "a.jpg", "classified")["label"]
        assert left == [0]


@pytest.mark.parametrize("error", [OSError(errno.ELIBACC, "GIF cannot be decoded just now"), ImportError("no tiff")])
def test_photo_waits_for_its_decoder_without_a_traceback(
    daemon: Daemon,
    inbox: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    faults = [error]

    def missing(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if faults:
            raise faults.pop()
        return decode(data, size, header)

    with daemon.running():
        monkeypatch.setattr(decoder_module, "decode", missing)
        put(inbox / "a.jpg", photo(4))
        assert result(daemon, "a.jpg", "classified")["label"]
        assert not faults
    assert not [record for record in caplog.records if record.exc_info]


def test_photo_that_takes_all_memory_is_too_large(daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object, **_options: object) -> object:
        raise MemoryError

    with daemon.running():
        monkeypatch.setattr(Image.Image, "resize", starved)
        put(inbox / "a.jpg", photo(5))
        assert result(daemon, "a.jpg", "failed")["error"]["code"] == "too_large"
        monkeypatch.undo()
        put(inbox / "b.jpg", photo(6))
        result(daemon, "b.jpg", "classified")


def test_bug_found_by_one_photo_holds_up_no_other(daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(data: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
        if data == HANGS:
            raise ZeroDivisionError("a bug")
        return decode(data, size, header)

    with daemon.running():
        monkeypatch.setattr(decoder_module, "decode", buggy)
        put(inbox / "finds.jpg", HANGS)
        for number in range(2, 6):
            put(inbox / f"{number}.jpg", photo(number))
        for number in range(2, 6):
            result(daemon, f"{number}.jpg", "classified")
        waiting = eventually(
            lambda: found if (found := result(daemon, "finds.jpg", "pending"))["error"] else None, "it was tried"
        )
        assert waiting["error"]["code"] == "internal"
        monkeypatch.undo()
        assert result(daemon, "finds.jpg", "classified")["id"] == waiting["id"]


def test_lasting_bug_fails_its_photo_as_internal(daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_numbers(*_: object) -> object:
        raise RuntimeError("the model returned NaN")

    monkeypatch.setattr("dogid.pipeline.retry_policy._INTERNAL_ATTEMPTS", 3)
    monkeypatch.setattr(decoder_module, "decode", no_numbers)
    put(inbox / "a.jpg", photo(1))
    with daemon.running():
        error = result(daemon, "a.jpg", "failed")["error"]

    assert error["code"] == "internal"
    assert "RuntimeError: the model returned NaN; given up after 3 attempts" in error["message"]


def test_jumping_wall_clock_loses_no_photo(daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walls = itertools.cycle([0, 4_000_000_000_000, -1_000_000, 1_700_000_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(walls) * 1_000_000)
    with daemon.running():
        for number in range(8):
            put(inbox / f"{number}.jpg", photo(number))
        for number in range(8):
            result(daemon, f"{number}.jpg", "classified")


def test_slow_disk_fails_no_photo(daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def slow(folder: Path, path: bytes, max_bytes: int) -> ReadPhoto:
        time.sleep(daemon.settings.decode_timeout + 0.7)  # longer than decoding may take
        return read_photo(folder, path, max_bytes)

    monkeypatch.setattr("dogid.pipeline.photo_processor.read_photo", slow)
    put(inbox / "a.jpg", photo(2))
    with daemon.running():
        assert result(daemon, "a.jpg", "classified", "failed")["status"] == "classified"
