"""Tests use a file system in memory only where it can be used, and leave nothing there for good."""

import os
import time
from pathlib import Path

import pytest

from tests.support.memory_file_system import memory_folder
from tests.support.privileges import run_without_override


def test_folder_is_in_memory_while_it_is_used(tmp_path: Path) -> None:
    with memory_folder(tmp_path, room=0) as folder:
        assert folder.parent == tmp_path
    assert not folder.exists()


@pytest.mark.parametrize("why", ["missing", "full", "closed"])
def test_unusable_memory_is_replaced_by_a_disk(tmp_path: Path, why: str) -> None:
    def make() -> Path:
        with memory_folder(memory, room=1 << 60 if why == "full" else 0) as folder:
            return folder.parent

    memory = tmp_path / "memory"
    if why != "missing":
        memory.mkdir(0o500 if why == "closed" else 0o700)

    assert run_without_override(make) != memory


def test_only_old_folders_of_killed_runs_are_removed(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in ("dogid-tests-old", "dogid-tests-new", "other-old"))
    for folder in (old, new, other):
        (folder / "state").mkdir(parents=True)
    for folder in (old, other):
        os.utime(folder, (time.time() - 90_000,) * 2)

    with memory_folder(tmp_path, room=0):
        assert not old.exists()
        assert new.exists()
        assert other.exists()
