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
from dogid.commands.check_machine import check_disk, check_inbox, check_state, check_watch
from dogid.commands.check_result import run_check
from dogid.ledger.database import FILE_NAME
from dogid.settings import Settings
from tests.ledger.ledger_folder import Inbox, add_classified
from tests.support.privileges import needs_root


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


@needs_root
@pytest.mark.parametrize(
    ("options", "reason"),
    [("size=9m", "only 9 MB are free; make room"), ("size=90m,nr_inodes=1", "no inodes are free; remove some files")],
)
def test_check_finds_a_full_disk(options: str, reason: str, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", tmp_path], check=True)
    try:
        result = run_check("disk", check_disk, Settings(inbox=tmp_path / "inbox", state=tmp_path / "state"))
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)

    assert (result.ok, result.detail.startswith(f"{tmp_path}: {reason}")) == (False, True)


@needs_root
def test_check_names_folders_without_rights() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        inbox, state = Path(name, "inbox"), Path(name, "state")
        inbox.mkdir(0o555)
        state.mkdir(0o555)
        settings = Settings(inbox=inbox, state=state, allow_upload=True)
        os.setresuid(65534, -1, -1)  # whose rights os.access is about
        try:
            own, uploads = run_check("state", check_state, settings), run_check("inbox", check_inbox, settings)
            os.chown(state, 65534, -1)
            others = run_check("state", check_state, settings)
        finally:
            os.setresuid(0, -1, -1)

    assert (own.ok, uploads.ok, others.ok) == (False, False, False)
    assert f"{state} is not writable; try: chmod u+rwx {state}" in own.detail
    assert f"{state}: belongs to nobody, and this user has no rights to it; put `sudo -u nobody`" in others.detail
    assert str(inbox) in uploads.detail
    assert "Permission denied" in uploads.detail


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
