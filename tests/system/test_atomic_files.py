"""Files are written whole or not at all."""

import os
from pathlib import Path

import pytest

from dogid.system.atomic_files import write_all_atomically, write_atomically


@pytest.mark.parametrize("order", [("second", "first"), ("first", "second")])
def test_all_files_are_written_or_none(tmp_path: Path, order: tuple[str, str]) -> None:
    (tmp_path / "second").mkdir()  # cannot be replaced by a file
    write_atomically(tmp_path / "first", b"old")

    with pytest.raises(OSError, match="second"):
        write_all_atomically(tmp_path, dict.fromkeys(order, b"new"))

    assert (tmp_path / "first").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


def test_full_disk_leaves_old_files_and_no_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all_atomically(tmp_path, {"first": b"old", "second": b"old"})
    synced: list[int] = []

    def full_after_the_first(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_after_the_first)
    with pytest.raises(OSError, match="No space left"):
        write_all_atomically(tmp_path, {"first": b"new", "second": b"new"})

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"first": b"old", "second": b"old"}


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600])
def test_written_file_has_the_mode_and_no_descriptor_stays(tmp_path: Path, mode: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    write_atomically(tmp_path / "new" / "folder" / "a", b"x", mode)

    assert len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "new/folder/a").stat().st_mode & 0o777 == mode
