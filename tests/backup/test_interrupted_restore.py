"""A restore that ends in between, at any step, is completed or undone; and what root restores is the owner's."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dogid.daemon.folders import lock_state
from dogid.daemon.state_swap import finish_swap
from dogid.errors import DogidError
from dogid.ledger.database import FILE_NAME
from dogid.system.owner import acting_as_owner
from tests.backup.state_folder import SHELF, fill, ids, make_backup, restore
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put
from tests.support.privileges import needs_root

NOBODY = 65534
_STEPS = 8  # renames of a swap, also of files that may be missing
Rename = Callable[[Path, Path], Path]


class Killed(BaseException):
    """Ends the process, as far as it is a test."""


@pytest.fixture
def kept(tmp_path: Path) -> Inbox:
    """A closed ledger with two results and a model, and a backup from when there were one and another model."""
    folder = Inbox(tmp_path)
    fill(folder, "a.jpg")
    put(folder.state / SHELF, b"old")
    make_backup(folder.state, tmp_path)
    put(folder.state / SHELF, b"new")
    fill(folder, "b.jpg")
    folder.close()
    put(folder.state / "in-hand", b"")
    return folder


@pytest.fixture
def others() -> Iterator[Path]:
    """A state folder of another user, who can reach it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


def fail_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> None:
    """Have the renaming of a file fail, counted from 0."""
    rename, done = Path.rename, list[Path]()

    def failing(source: Path, target: Path) -> Path:
        done.append(source)
        if len(done) == step + 1:
            raise error
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", failing)


def hidden(state: Path) -> list[str]:
    return [path.name for path in state.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("step", range(_STEPS))
def test_killed_restore_is_completed_or_undone(
    kept: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patch:
        fail_at(patch, step, Killed())
        # a killed process removes nothing
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            restore(tmp_path / "dogid.zip", kept.state)

    finish_swap(kept.state)

    assert hidden(kept.state) == []
    model = (kept.state / SHELF).read_bytes()
    kept.open()
    assert (ids(kept), model) == (([1, 2], b"new") if step == 0 else ([1], b"old"))
    before = list(kept.state.glob("before-restore-*"))
    assert [(path / SHELF).read_bytes() for path in before] == ([] if step == 0 else [b"new"])
    kept.close()


def test_restore_after_a_killed_one_stays(kept: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = make_backup(kept.state, tmp_path / "now")
    with monkeypatch.context() as patch:
        fail_at(patch, 4, Killed())
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            restore(tmp_path / "dogid.zip", kept.state)
    restore(now, kept.state)

    finish_swap(kept.state)

    assert (kept.state / SHELF).read_bytes() == b"new"
    kept.open()
    assert ids(kept) == [1, 2]
    kept.close()


@pytest.mark.parametrize("step", range(_STEPS))
def test_restore_that_fails_leaves_all_as_it_was(
    kept: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patch:
        fail_at(patch, step, OSError(5, "EIO"))
        with pytest.raises(DogidError, match="the ledger is as before"):
            restore(tmp_path / "dogid.zip", kept.state)

    assert hidden(kept.state) == []
    assert not list(kept.state.glob("before-restore-*"))
    assert not list(kept.state.glob("*.new"))
    assert (kept.state / SHELF).read_bytes() == b"new"
    kept.open()
    assert ids(kept) == [1, 2]
    kept.close()


@needs_root
@pytest.mark.usefixtures("kept")
def test_what_root_restores_belongs_to_the_owner_of_the_folder(others: Path, tmp_path: Path) -> None:
    restore(tmp_path / "dogid.zip", others)
    restored = restore(tmp_path / "dogid.zip", others)

    assert restored.kept is not None
    assert {path.stat().st_uid for path in others.rglob("*")} == {NOBODY}
    assert (others / FILE_NAME).stat().st_mode & 0o777 == 0o640
    assert os.geteuid() == 0


@needs_root
@pytest.mark.usefixtures("kept")
def test_link_in_the_way_of_root_leads_nowhere(others: Path, tmp_path: Path) -> None:
    (others / "dogid.lock").symlink_to(tmp_path / "made")

    with pytest.raises(DogidError, match="Too many levels of symbolic links"):
        restore(tmp_path / "dogid.zip", others)

    assert not (tmp_path / "made").exists()


@needs_root
def test_lock_that_root_has_made_can_be_taken_by_the_owner(others: Path) -> None:
    os.close(lock_state(others))

    with acting_as_owner(others):
        os.close(lock_state(others))
