"""Ctrl-C while a graph is converted."""

import signal
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.cli import main
from dogid_convert.conversion import convert as conversion
from dogid_convert.support.progress import Track
from tests.convert.small_graphs import make_workspace
from tests.support.ctrl_c import INTERRUPTED, as_in_a_terminal, dogid_in_a_terminal, swallowed_press
from tests.support.waiting import eventually


def has_loaded(process: "subprocess.Popen[str]", library: str) -> bool:
    """Whether a shared library of that name lies in the process's memory; fails where it has ended before."""
    assert process.poll() is None
    return library in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.timeout(400)  # a busy machine takes more than a minute to load all that
@pytest.mark.parametrize("library", ["tensorflow", "litert"])
def test_interrupt_keeps_the_earlier_model(tmp_path: Path, library: str) -> None:
    """While TensorFlow is loaded, or when all is loaded and the work begins."""
    workspace = make_workspace(tmp_path)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "model.tflite"
    out.write_bytes(b"earlier model")
    words = [
        "convert",
        str(workspace.graph),
        "-o",
        str(out),
        "--calibrate",
        str(workspace.photos),
        "--evaluate",
        str(workspace.photos),
    ]
    with dogid_in_a_terminal(*words) as converting:
        eventually(lambda: has_loaded(converting, library), f"{library} is loaded", timeout=200)
        converting.send_signal(signal.SIGINT)
        printed, messages = converting.communicate(timeout=110)

    assert converting.returncode in INTERRUPTED, messages
    assert messages == "dogid convert: interrupted\n"
    assert not printed
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == {"model.tflite": b"earlier model"}


def test_swallowed_interrupt_ends_before_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = make_workspace(tmp_path)
    convert = conversion.convert

    def pressed_meanwhile(options: conversion.ConversionOptions, track: Track) -> conversion.Converted:
        swallowed_press()
        return convert(options, track)

    monkeypatch.setattr(conversion, "convert", pressed_meanwhile)
    words = ["convert", str(workspace.graph), "-o", str(tmp_path / "m.tflite"), "--report", str(tmp_path / "r.json")]
    with as_in_a_terminal():
        status = main([*words, "--dtype", "float32"])

    assert status == 130
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "m.tflite").exists()
    assert not (tmp_path / "r.json").exists()
