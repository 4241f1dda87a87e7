"""A state folder that is moved, deleted or replaced under a daemon: it is not healthy, and says what to do."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dogid.daemon.condition_monitor import read_condition
from dogid.daemon.daemon import Daemon
from dogid.errors import UsageError
from dogid.ledger.database import FILE_NAME
from dogid.settings import Settings
from tests.backup.state_folder import make_backup, restore
from tests.ledger.ledger_folder import Inbox
from tests.support.waiting import eventually


def move(state: Path) -> None:
    state.rename(state.with_name("elsewhere"))


def delete(state: Path) -> None:
    shutil.rmtree(state)


def delete_ledger(state: Path) -> None:
    (state / "ledger.db").unlink()


def replace_ledger(state: Path) -> None:
    shutil.copy(state / "ledger.db", state / "copy")
    (state / "copy").replace(state / "ledger.db")


def delete_log(state: Path) -> None:
    (state / "ledger.db-wal").unlink()


def delete_lock(state: Path) -> None:
    (state / "dogid.lock").unlink()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (move, ""),
        (delete, ""),
        (delete_ledger, "ledger.db"),
        (replace_ledger, "ledger.db"),
        (delete_log, "ledger.db-wal"),
        (delete_lock, "dogid.lock"),
    ],
)
def test_changed_state_folder_is_not_healthy(
    inbox: Path, tmp_path: Path, change: Callable[[Path], None], name: str
) -> None:
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=1))
    with daemon.running():
        eventually(lambda: daemon.health.ok, "it is healthy")
        change(daemon.state)

        assert daemon.supervisor.health_check.check() == daemon.health.reason
        expected = f"{daemon.state / name}: was moved, deleted or replaced while the daemon uses it"
        assert daemon.health.reason.startswith(expected)
        assert not daemon.health.ok


def test_ledger_that_cannot_be_read_is_not_healthy(inbox: Path, tmp_path: Path) -> None:
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=1))
    with daemon.running():
        eventually(lambda: daemon.health.ok, "it is healthy")
        os.truncate(daemon.state / "ledger.db-wal", 0)
        eventually(
            lambda: "the ledger cannot be read: " in str(daemon.supervisor.health_check.check()), "it is noticed"
        )


def test_nothing_is_made_where_the_state_folder_was(inbox: Path, tmp_path: Path) -> None:
    backup = make_backup_of_nothing(tmp_path)
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=1))
    with daemon.running():
        eventually(lambda: daemon.health.ok, "it is healthy")
        move(daemon.state)

        def is_noted() -> bool:  # by us, or by the daemon's own check, which may just be ending an earlier one
            daemon.supervisor.health_check.check()
            daemon.supervisor.note_conditions()
            return str(daemon.state) in str(read_condition(daemon.state.with_name("elsewhere")))

        eventually(is_noted, "it is noted where the folder is now")
        assert not daemon.state.exists()
        with pytest.raises(UsageError, match="a daemon runs whose state folder was here"):
            restore(backup, daemon.state)
        assert not daemon.state.exists()

    restore(backup, daemon.state)
    assert (daemon.state / FILE_NAME).exists()


def make_backup_of_nothing(folder: Path) -> Path:
    (folder / "other").mkdir()
    Inbox(folder / "other").close()
    return make_backup(folder / "other" / "state", folder / "to")
