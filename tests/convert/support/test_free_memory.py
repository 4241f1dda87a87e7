"""A conversion for which there is no room fails before it begins, with the figures."""

import shutil
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.errors import DogidError
from dogid_convert.support import free_memory


def test_too_little_memory_is_reported_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(bytes(1000))
    monkeypatch.setattr(free_memory, "free_memory", lambda: 100_000_000)
    with pytest.raises(DogidError, match=r"needs about 650 MB of memory, there are 100 MB"):
        free_memory.check_resources(graph, tmp_path / "model.tflite", 50_000_000)


def test_full_disk_is_reported_before_the_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(bytes(5_000_000))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=2_000_000))
    assert main(["convert", str(graph), "-o", str(tmp_path / "model.tflite"), "--dtype", "float32"]) == 1
    assert "needs up to 6 MB of disk, there are 2 MB" in capsys.readouterr().err
