"""Which files go into a backup, and who can read it."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from dogid.backup.write import measure, write_backup
from dogid.errors import UsageError
from dogid.ledger.database import FILE_NAME
from tests.backup.state_folder import SHELF, make_backup, restore
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with an empty ledger and a model."""
    inbox = Inbox(tmp_path)
    inbox.close()
    put(inbox.state / SHELF, b"a model")
    return inbox.state


def names(backup: Path) -> set[str]:
    with zipfile.ZipFile(backup) as archive:
        return set(archive.namelist())


def test_hidden_folders_of_models_are_left_out(state: Path, tmp_path: Path) -> None:
    put(state / "models/.being-written/part.tflite", b"half")

    assert {name for name in names(make_backup(state, tmp_path)) if "/" in name} == {SHELF}


def test_backup_among_the_models_is_refused(state: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(state / "models")
    for folder in (state / "models", tmp_path / "link"):
        with pytest.raises(UsageError, match="lies among the models"):
            write_backup(state, folder / "dogid.zip", force=False, on_progress=lambda _: None)


def test_only_its_writer_can_read_a_backup(state: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        backup = make_backup(state, tmp_path)
        write_backup(state, backup, force=True, on_progress=lambda _: None)
    finally:
        os.umask(before)

    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", [b"a/b/c/x.tflite", b"a\\b.tflite", b"\xff.tflite", b"a\nb.tflite"])
def test_model_that_no_restore_takes_is_named(state: Path, tmp_path: Path, name: bytes) -> None:
    model = put(state / "models" / os.fsdecode(name), b"a model")

    with pytest.raises(UsageError, match="cannot be in a backup"):
        make_backup(state, tmp_path)
    assert not list(tmp_path.glob("*.zip"))

    model.rename(state / "models" / "ä 1.tflite")
    restore(make_backup(state, tmp_path), tmp_path / "other")
    assert (tmp_path / "other/models/ä 1.tflite").read_bytes() == b"a model"


def test_progress_counts_only_what_is_backed_up(state: Path) -> None:
    expected = (state / FILE_NAME).stat().st_size + len(b"a model")
    put(state / "before-restore-1/ledger.db", bytes(1_000_000))

    assert measure(state) == expected
