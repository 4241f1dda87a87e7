"""A conversion that has no room says so before it begins."""

import shutil
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.errors import DogidError
from dogid_convert.support import free_memory


def machine(root: Path, available: int, limit: str = "max", used: int = 0) -> Path:
    """Lay out what Linux tells of a machine's memory, in kB, and of a container's, in bytes."""
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {available} kB\nSwapFree: 1 kB\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text(f"{limit}\n")
    (root / "sys/fs/cgroup/memory.current").write_text(f"{used}\n")
    return root


def test_the_machines_memory_is_told_with_its_swap(tmp_path: Path) -> None:
    assert free_memory.free_memory(machine(tmp_path, 1000)) == 1001 * 1024


def test_a_containers_limit_counts_where_it_is_less(tmp_path: Path) -> None:
    assert free_memory.free_memory(machine(tmp_path, 1000, "5000", 2000)) == 3000


def test_a_system_that_does_not_tell_is_not_judged(tmp_path: Path) -> None:
    assert free_memory.free_memory(tmp_path) is None


def test_too_little_memory_is_told_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(bytes(1000))
    monkeypatch.setattr(free_memory, "free_memory", lambda: 100_000_000)
    with pytest.raises(DogidError, match=r"needs about 650 MB of memory, there are 100 MB"):
        free_memory.check_resources(graph, tmp_path / "model.tflite", 50_000_000)


def test_a_full_disk_is_told_before_the_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(bytes(5_000_000))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=2_000_000))
    assert main(["convert", str(graph), "-o", str(tmp_path / "model.tflite"), "--dtype", "float32"]) == 1
    assert "needs up to 6 MB of disk, there are 2 MB" in capsys.readouterr().err
