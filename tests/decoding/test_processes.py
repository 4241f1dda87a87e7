"""A process that decodes can be ended at any moment, and its end says what was wrong with the photo."""

import contextlib
import errno
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dogid.decoding.messages import REQUEST
from dogid.decoding.processes import DecodeLimits, DecodeProcesses
from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import DEFAULT_MAX_PIXELS, decode
from tests.support.daemon import ROOT, environment
from tests.support.photos import photo
from tests.support.waiting import TIMEOUT, eventually

SIZE = (224, 224)
LIMITS = DecodeLimits(100 << 20, 60, DEFAULT_MAX_PIXELS)
KILLS, HANGS = b"a photo that kills the decoder", b"a photo that hangs the decoder"


@pytest.fixture
def processes() -> Iterator[DecodeProcesses]:
    made = DecodeProcesses()
    yield made
    made.close()


@pytest.fixture
def harmful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let decoding processes hang and die of photos that hold certain words."""
    path = os.pathsep.join([str(ROOT / "tests/support/harmful"), environment()["PYTHONPATH"]])
    monkeypatch.setenv("PYTHONPATH", path)


def only_child() -> int:
    """The process that decodes, once there is one."""

    def find() -> list[int]:
        children = [
            int(child)
            for task in Path(f"/proc/{os.getpid()}/task").iterdir()
            for child in read(task / "children").split()
        ]
        return [child for child in children if b"dogid.decoding.child" in read(Path(f"/proc/{child}/cmdline"))]

    def read(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:  # a thread or process that has ended meanwhile
            return b""

    (child,) = eventually(find, "a process decodes")
    return child


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pixels_are_those_of_this_process(processes: DecodeProcesses, kind: str) -> None:
    data = photo(3, kind, size=(640, 400))
    here, there = decode(data, SIZE), processes.decode(data, SIZE, LIMITS)

    assert np.array_equal(here.pixels, there.pixels)
    assert (here.width, here.height, here.complete) == (there.width, there.height, there.complete)


def test_one_process_decodes_photo_after_photo(processes: DecodeProcesses) -> None:
    processes.decode(photo(1), SIZE, LIMITS)
    first = only_child()
    with pytest.raises(PhotoError, match="not a photo"):
        processes.decode(b"no photo at all" * 10, SIZE, LIMITS)
    processes.decode(photo(2), SIZE, LIMITS)
    assert only_child() == first


def test_process_that_waits_is_ended_soon() -> None:
    processes = DecodeProcesses(idle_seconds=0.05)
    processes.decode(photo(1), SIZE, LIMITS)
    eventually(lambda: not processes._idle, "nothing is kept")


@pytest.mark.usefixtures("harmful")
def test_photo_that_kills_its_process_is_corrupt(processes: DecodeProcesses) -> None:
    with pytest.raises(PhotoError, match=r"kills the process \(Segmentation fault\)") as raised:
        processes.decode(photo(1) + KILLS, SIZE, LIMITS)
    assert raised.value.code is PhotoCode.CORRUPT
    assert processes.decode(photo(1), SIZE, LIMITS).width


@contextlib.contextmanager
def hanging(processes: DecodeProcesses) -> Iterator[list[OSError]]:
    """Have a photo decoded that hangs; once it has ended in an OSError, that is in the list."""
    errors: list[OSError] = []

    def decode_it() -> None:
        try:
            processes.decode(photo(1) + HANGS, SIZE, LIMITS)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=decode_it)
    thread.start()
    only_child()
    yield errors
    thread.join(TIMEOUT)


@pytest.mark.usefixtures("harmful")
def test_killed_process_may_have_lacked_memory(processes: DecodeProcesses) -> None:
    with hanging(processes) as errors:
        os.kill(only_child(), signal.SIGKILL)  # as the kernel does where memory runs out
    assert [error.errno for error in errors] == [errno.ENOMEM]
    assert "memory ran out" in str(errors[0])


@pytest.mark.usefixtures("harmful")
def test_other_signal_is_no_lack_of_memory(processes: DecodeProcesses) -> None:
    with hanging(processes) as errors:
        os.kill(only_child(), signal.SIGALRM)
    assert [error.errno for error in errors] == [errno.ECANCELED]
    assert "memory" not in str(errors[0])


@pytest.mark.usefixtures("harmful")
def test_closing_ends_a_process_that_decodes(processes: DecodeProcesses) -> None:
    with hanging(processes) as errors:
        processes.close()
    assert [error.errno for error in errors] == [errno.ECANCELED]
    with pytest.raises(OSError, match="is stopping"):
        processes.decode(photo(1), SIZE, LIMITS)


def test_signals_for_all_processes_do_not_end_one_that_decodes(processes: DecodeProcesses) -> None:
    processes.decode(photo(1), SIZE, LIMITS)
    child = only_child()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(child, number)
    processes.decode(photo(2), SIZE, LIMITS)
    assert only_child() == child


@pytest.mark.usefixtures("harmful")
def test_process_ends_with_the_daemon_even_inside_a_photo() -> None:
    data = photo(1) + HANGS
    with subprocess.Popen([sys.executable, "-P", "-m", "dogid.decoding.child"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(REQUEST.pack(len(data), *SIZE, DEFAULT_MAX_PIXELS, 1 << 20, 60) + data)
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0


def test_process_that_cannot_run_is_internal_and_logged(
    processes: DecodeProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "PIL.py").write_text("raise ImportError('half an upgrade')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]]))
    with pytest.raises(PhotoError, match=r"exit status 1.*half an upgrade") as raised:
        processes.decode(photo(1), SIZE, LIMITS)
    assert raised.value.code is PhotoCode.INTERNAL
    assert "half an upgrade" in caplog.text


@pytest.mark.usefixtures("harmful")
def test_photo_that_hangs_is_given_up_and_its_process_ended(processes: DecodeProcesses) -> None:
    with pytest.raises(PhotoError, match="longer than 1 s") as raised:
        processes.decode(photo(1) + HANGS, SIZE, DecodeLimits(1 << 20, 1, DEFAULT_MAX_PIXELS))
    assert raised.value.code is PhotoCode.TOO_LARGE
    assert not processes._idle


def test_photo_that_takes_more_than_it_seems_is_too_large(processes: DecodeProcesses) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8000, 6000)).save(stream, "PNG", compress_level=1)
    with pytest.raises(PhotoError, match="not enough memory") as raised:
        processes.decode(stream.getvalue(), SIZE, DecodeLimits(1 << 20, 60, DEFAULT_MAX_PIXELS))
    assert raised.value.code is PhotoCode.TOO_LARGE


def test_process_loads_no_model() -> None:
    script = "import dogid.decoding.child, sys; print([name for name in sys.modules if 'dogid.model' in name])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "[]\n"
