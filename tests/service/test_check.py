"""`dogid check`: what would not work is found before it does not."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dogid.commands.check import check_all
from dogid.settings import Settings
from tests.support.daemon import DaemonProcess, dogid, environment
from tests.support.inotify_limit import with_inotify_limit
from tests.support.privileges import needs_root, without_override

NAMES = ["backend", "model", "inbox", "watch", "state", "disk", "port"]


def settings(folder: Path, **chosen: object) -> Settings:
    """Settings of a place where all would work, but for those chosen."""
    usual: dict[str, object] = {"inbox": folder / "inbox", "state": folder / "state", "port": 0}
    return Settings(**{**usual, **chosen})  # type: ignore[arg-type]


def wrong(chosen: Settings) -> dict[str, str]:
    """What is found not to work."""
    return {finding.name: finding.detail for finding in check_all(chosen) if not finding.ok}


def test_check_passes_and_creates_nothing(tmp_path: Path) -> None:
    found = check_all(settings(tmp_path))

    assert [finding.name for finding in found] == NAMES
    assert all(finding.ok for finding in found)
    assert list(tmp_path.iterdir()) == []


def test_check_prints_lines_or_json(tmp_path: Path) -> None:
    flags = ["--inbox", str(tmp_path / "inbox"), "--state", str(tmp_path / "state"), "--port", "0"]
    lines = dogid("check", *flags).stdout.splitlines()
    document = json.loads(dogid("check", "--json", *flags).stdout)

    assert [line.split()[:2] for line in lines] == [["ok", name] for name in NAMES]
    assert document["ok"]
    assert [set(check) for check in document["checks"]] == [{"name", "ok", "detail"}] * len(NAMES)


@pytest.mark.parametrize("what", ["watches", "instances"])
def test_check_passes_without_inotify_and_names_the_sysctl(tmp_path: Path, what: str) -> None:
    (tmp_path / "inbox").mkdir()
    command = [*with_inotify_limit(what, 0), sys.executable, "-m", "dogid", "check", "--port", "0"]
    command += ["--inbox", str(tmp_path / "inbox"), "--state", str(tmp_path / "state")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    line = next(line for line in done.stdout.splitlines() if line.split()[1] == "watch")
    assert done.returncode == 0
    assert line.startswith("ok")
    assert "by scans only" in line
    assert f"fs.inotify.max_user_{what}" in line


def test_check_finds_broken_model(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"\0\0\0\0TFL3" + bytes(1000))
    flags = ["--inbox", str(tmp_path), "--state", str(tmp_path), "--port", "0"]
    done = dogid("check", "--json", "--model", str(tmp_path / "broken.tflite"), *flags)

    assert done.returncode == 1
    broken = [check["name"] for check in json.loads(done.stdout)["checks"] if not check["ok"]]
    assert broken == ["backend", "model"]


def test_check_finds_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        assert "in use by another program" in wrong(settings(tmp_path, port=port))["port"]


def test_check_accepts_running_daemon(daemon: DaemonProcess) -> None:
    port = int(daemon.url.rstrip("/").rpartition(":")[2])

    assert wrong(Settings(inbox=daemon.inbox, state=daemon.state, port=port)) == {}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda folder: settings(folder, inbox=folder / "missing" / "inbox"), {"inbox"}),
        (lambda folder: settings(folder, host="192.0.2.1"), {"port"}),
        (lambda folder: settings(folder, state=_file(folder / "file")), {"state"}),
        (lambda folder: settings(folder, inbox=_file(folder / "file")), {"inbox"}),
    ],
    ids=["inbox without a parent", "address of another machine", "state is a file", "inbox is a file"],
)
def test_check_finds_unusable_folders(tmp_path: Path, make: Callable[[Path], Settings], names: set[str]) -> None:
    assert names <= set(wrong(make(tmp_path)))


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


@needs_root
def test_check_names_chmod_that_lets_daemon_read(tmp_path: Path) -> None:
    photo = _file(tmp_path / "inbox" / "trip" / "closed.jpg")
    photo.chmod(0o600)
    os.chown(photo, 12345, 12345)
    flags = ["--inbox", str(tmp_path / "inbox"), "--state", str(tmp_path / "state"), "--port", "0"]
    command = [*without_override(), sys.executable, "-m", "dogid", "check", *flags]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    assert f"; 1 file in it cannot be read, try: chmod a+r {photo}\n" in done.stdout
