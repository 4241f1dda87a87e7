"""Ctrl-C while a graph is converted."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from tests.convert.small_graphs import make_workshop
from tests.support.ctrl_c import INTERRUPTED, heeded_by_a_child
from tests.support.daemon import environment
from tests.support.waiting import eventually


def has_loaded(process: "subprocess.Popen[str]", library: str) -> bool:
    """Whether a shared library of that name lies in the process's memory; fails where it has ended before."""
    assert process.poll() is None
    return library in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.parametrize("library", ["tensorflow", "litert"])
def test_it_ends_and_leaves_the_model_that_was_there(tmp_path: Path, library: str) -> None:
    """While TensorFlow is loaded, or when all is loaded and the work begins."""
    shop = make_workshop(tmp_path)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "model.tflite"
    out.write_bytes(b"earlier model")
    words = [
        "convert",
        str(shop.graph),
        "-o",
        str(out),
        "--calibrate",
        str(shop.photos),
        "--evaluate",
        str(shop.photos),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "dogid", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=heeded_by_a_child,
    ) as converting:
        eventually(lambda: has_loaded(converting, library), f"{library} is loaded")
        converting.send_signal(signal.SIGINT)
        printed, told = converting.communicate(timeout=60)

    assert converting.returncode in INTERRUPTED, told
    assert "Traceback" not in told
    assert not printed
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == {"model.tflite": b"earlier model"}
