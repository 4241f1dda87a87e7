"""What `dogid retrain` and `dogid convert` do alike."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow")

from dogid.cli import main
from dogid_convert.support.quiet_tensorflow import load_tensorflow
from tests.convert.training_material import make_folder
from tests.support.daemon import environment

HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "numpy", "matplotlib", "rich")


@pytest.fixture(params=["train", "retrain", "convert"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """A command line whose files exist."""
    (tmp_path / "graph.pb").write_bytes(b"")
    make_folder(tmp_path / "photos", photos=1)
    lines = {
        "train": ["train", str(tmp_path / "photos"), "-o", str(tmp_path / "m.tflite")],
        "retrain": ["retrain", str(tmp_path / "photos"), "-o", str(tmp_path / "out")],
        "convert": ["convert", str(tmp_path / "graph.pb"), "-o", str(tmp_path / "m.tflite")],
    }
    return lines[request.param]


@pytest.mark.parametrize("words", [["train"], ["retrain"], ["convert"], ["data", "diff"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import atexit, sys, dogid.cli; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        f"dogid.cli.main([*{words!r}, '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert f"dogid {' '.join(words)}" in done.stdout
    assert not set(HEAVY) & set(done.stderr.split())


def test_missing_tensorflow_is_a_usage_error_with_fix(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert main(command) == 2
    message = capsys.readouterr().err
    assert f"`dogid {command[0]}` needs tensorflow" in message
    assert "make train-env && . .venv-train/bin/activate" in message


def test_broken_tensorflow_is_reported_with_a_fix(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ImportError("libcuda.so: undefined symbol")

    monkeypatch.setattr("dogid_convert.support.quiet_tensorflow.load_tensorflow", broken)
    assert main(command) == 1
    message = capsys.readouterr().err
    assert "undefined symbol" in message
    assert "--force-reinstall" in message


@pytest.mark.parametrize(
    ("error", "message_part"),
    [
        (lambda: ValueError("shapes (3,) and (4,)\nand much more"), "TensorFlow cannot"),
        (lambda: MemoryError(), "not enough memory"),
        (lambda: OSError(28, "No space left on device", "/cache/x"), "/cache/x: No space left on device"),
    ],
)
def test_internal_error_is_one_line_without_traceback(
    error: Callable[[], Exception],
    message_part: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load_tensorflow()

    def fails(*_: object) -> None:
        raise error()

    monkeypatch.setattr("dogid_convert.conversion.convert.convert", fails)
    monkeypatch.setattr("dogid_convert.training.retrain.retrain", fails)
    assert main(command) == 1
    message = capsys.readouterr().err
    assert message_part in message
    assert message.count("\n") == 1
