"""`dogid check` looks at the ledger and a missing inbox, and `dogid status` names one that was moved aside."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.commands.check_machine import check_state, check_watch
from dogid.commands.check_result import run_check
from dogid.ledger.database import FILE_NAME
from dogid.settings import Settings
from tests.ledger.ledger_folder import Inbox, add_classified


@pytest.fixture
def closed(tmp_path: Path) -> Inbox:
    """An inbox with a classified photo, its ledger closed."""
    inbox = Inbox(tmp_path)
    add_classified(inbox, "a.jpg")
    inbox.close()
    return inbox


def overwrite_header(ledger: Path) -> None:
    ledger.write_bytes(os.urandom(200) + ledger.read_bytes()[200:])


def truncate(ledger: Path) -> None:
    os.truncate(ledger, 3 * 4096)


def empty(ledger: Path) -> None:
    os.truncate(ledger, 0)


def replace_by_folder(ledger: Path) -> None:
    ledger.unlink()
    ledger.mkdir()


@pytest.mark.parametrize(
    ("damage", "outcome"),
    [
        (overwrite_header, "the start moves it aside"),
        (truncate, "the start moves it aside"),
        (empty, "the start makes a new ledger"),
        (replace_by_folder, "the daemon cannot start; move it away"),
    ],
)
def test_check_finds_a_damaged_ledger(closed: Inbox, damage: Callable[[Path], None], outcome: str) -> None:
    settings = Settings(inbox=closed.folder, state=closed.state)
    before = sorted(closed.state.iterdir())
    assert run_check("state", check_state, settings).ok
    assert sorted(closed.state.iterdir()) == before
    damage(closed.state / FILE_NAME)

    result = run_check("state", check_state, settings)

    assert not result.ok
    assert outcome in result.detail


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user")
def test_check_finds_a_lock_of_another_user() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "dogid.lock").touch(0o644)
        script = (
            "import os; from pathlib import Path; from dogid.commands.check_machine import check_state;"
            "from dogid.commands.check_result import run_check;"
            " from dogid.settings import Settings; os.setuid(65534);"
            f" print(run_check('state', check_state, Settings(inbox=Path('/'), state=Path({name!r}))))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert "ok=False" in done.stdout
    assert "dogid.lock: belongs to root, and this user cannot write it" in done.stdout


def test_watch_of_an_impossible_inbox_is_wrong(tmp_path: Path) -> None:
    results = [
        run_check("watch", check_watch, Settings(inbox=tmp_path / folder / "inbox", state=tmp_path / "state"))
        for folder in ("missing", "")
    ]

    assert [result.ok for result in results] == [False, True]


def test_empty_ledger_is_logged(closed: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    empty(closed.state / FILE_NAME)

    with caplog.at_level(logging.WARNING):
        closed.open()

    assert f"{closed.state / FILE_NAME}: it is an empty file" in caplog.text


def test_status_names_the_ledger_moved_aside(closed: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    (closed.state / FILE_NAME).write_bytes(os.urandom(9000))
    closed.open()
    closed.close()
    flags = ["--inbox", str(closed.folder), "--state", str(closed.state)]

    assert main(["status", *flags]) == 0
    shown = capsys.readouterr().out
    assert main(["status", "--json", *flags]) == 0

    assert f"the ledger was damaged and is now {closed.ledger.moved_aside}; nothing could be read of it" in shown
    found = json.loads(capsys.readouterr().out)
    assert (found["moved_aside"], found["salvaged"]) == (str(closed.ledger.moved_aside), 0)
