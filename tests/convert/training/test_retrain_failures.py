"""Failed trainings: earlier output stays, and no partial files are left."""

import contextlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.system.atomic_files import write_all_atomically
from tests.convert.training_material import small_graph
from tests.support.ctrl_c import INTERRUPTED, dogid_in_a_terminal
from tests.support.privileges import run_without_override
from tests.support.waiting import eventually


def arguments(photos: Path, output: Path, *flags: str) -> list[str]:
    base, cache = str(small_graph()), str(output.parent / "cache")
    return ["retrain", str(photos), "-o", str(output), "--base", base, "--cache", cache, *flags]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return a folder with the output of an earlier training."""
    folder = tmp_path / "out"
    write_all_atomically(folder, {"retrained_graph.pb": b"earlier graph", "report.json": b"earlier report"})
    return folder


def is_unchanged(output: Path) -> bool:
    kept = {path.name: path.read_bytes() for path in output.iterdir()}
    return kept == {"retrained_graph.pb": b"earlier graph", "report.json": b"earlier report"}


def partial_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name.startswith(".")]


@pytest.mark.timeout(400)  # a busy machine takes more than a minute to load TensorFlow
@pytest.mark.parametrize("moment", ["photos", "epochs"])
def test_ctrl_c_keeps_earlier_output(moment: str, photos: Path, output: Path, tmp_path: Path) -> None:
    flags = ["--augment", "8"] if moment == "photos" else ["--fine-tune", "9", "--epochs", "9999"]
    cache = tmp_path / "cache"
    with dogid_in_a_terminal(*arguments(photos, output, *flags)) as training:
        expected = 5 if moment == "photos" else 60
        eventually(lambda: len(list(cache.rglob("*.npy"))) >= expected, "bottlenecks are cached", timeout=200)
        training.send_signal(signal.SIGINT)
        messages = training.communicate(timeout=110)[1]

    assert training.returncode in INTERRUPTED
    assert "interrupted" in messages
    assert "Traceback" not in messages
    assert is_unchanged(output)
    assert not partial_files(cache)


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Have the kernel refuse files of more than size bytes, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_keeps_earlier_output(photos: Path, output: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = arguments(photos, output)
    with file_size_limit(200_000):  # the graph is larger
        assert main(words) == 1

    messages = capfd.readouterr().err
    assert "File too large" in messages
    assert str(output) in messages
    assert "Traceback" not in messages
    assert is_unchanged(output)


def test_unwritable_cache_is_only_a_warning(photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o555)
    status = run_without_override(lambda: main(arguments(photos, tmp_path / "out")))

    messages = capfd.readouterr().err
    assert status == 0, messages
    assert messages.count("bottlenecks are not cached") == 1
    assert (tmp_path / "out/retrained_graph.pb").exists()


def test_unwritable_output_fails_before_training(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o555)

    assert run_without_override(lambda: main(arguments(photos, shut / "out"))) == 2
    messages = capfd.readouterr().err
    assert f"{shut}: Permission denied" in messages
    assert "labels; base" not in messages
