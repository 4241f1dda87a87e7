"""A second try passes what came too late, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def try_again(folder: Path, *failed: str, not_run: int | None = 0) -> subprocess.CompletedProcess[str]:
    cache = folder / ".pytest_cache" / "v"
    for name, value in (("cache/lastfailed", dict.fromkeys(failed, True)), ("dogid/not_run", not_run)):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(json.dumps(value), encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.second_try"]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text("def test_late(): pass\ndef test_broken(): assert False\n", encoding="utf-8")
    return tmp_path


def test_late_test_passes_and_is_named(folder: Path) -> None:
    done = try_again(folder, "test_it.py::test_late")
    assert (done.returncode, "SECOND TRY" in done.stdout, "test_it.py::test_late" in done.stdout) == (0, True, True)


def test_broken_test_stays_broken(folder: Path) -> None:
    assert try_again(folder, "test_it.py::test_late", "test_it.py::test_broken").returncode == 1


@pytest.mark.parametrize("not_run", [3, None])
def test_run_that_ended_early_is_not_repaired(folder: Path, not_run: int | None) -> None:
    done = try_again(folder, "test_it.py::test_late", not_run=not_run)
    assert (done.returncode, "the run ended before" in done.stderr) == (1, True)


@pytest.mark.parametrize("count", [0, 4])
def test_many_failures_are_not_repaired(folder: Path, count: int) -> None:
    done = try_again(folder, *[f"test_it.py::test_late[{number}]" for number in range(count)])
    assert (done.returncode, f"{count} tests failed" in done.stderr) == (1, True)
