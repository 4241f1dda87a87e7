"""Temporary errors, such as missing permissions or a full disk: photos stay pending, and others go on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess, environment
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.support.privileges import needs_root, without_override
from tests.support.waiting import eventually


@pytest.fixture
def ordinary_daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon that cannot override file permissions, as root can."""
    return make_daemon("--settle", "1", before=without_override())


def test_unreadable_photo_is_classified_once_readable(ordinary_daemon: DaemonProcess, inbox: Path) -> None:
    daemon = ordinary_daemon.start()
    path = put(inbox / ".closed.jpg", photo(1))
    path.chmod(0)
    path.rename(inbox / "closed.jpg")
    waiting = daemon.wait_for_pending("closed.jpg", "unreadable")
    assert "EACCES" in waiting["error"]["message"]
    (inbox / "closed.jpg").chmod(0o644)

    daemon.wait_for_classified("closed.jpg", photo(1))
    daemon.wait_for_clean_audit(1)


def test_unreadable_photo_stays_pending_across_restarts(ordinary_daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "closed.jpg", photo(2)).chmod(0)
    daemon = ordinary_daemon.start()
    before = daemon.wait_for_pending("closed.jpg", "unreadable")
    for _ in range(2):
        daemon.stop()
        daemon.start()
        assert daemon.wait_for_pending("closed.jpg", "unreadable")["id"] == before["id"]
    waits = [step for step in daemon.history(before) if step["event"] == "waiting"]
    assert len(waits) >= 3
    (inbox / "closed.jpg").chmod(0o644)

    assert daemon.wait_for_classified("closed.jpg", photo(2))["id"] == before["id"]


def test_unreadable_photos_do_not_delay_others(ordinary_daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(100):
        put(inbox / f"closed{number}.jpg", photo(3)).chmod(0)
    daemon = ordinary_daemon.start()
    put(inbox / "open.jpg", photo(4))

    daemon.wait_for_classified("open.jpg", photo(4))
    counts = daemon.status()["counts"]
    assert (counts["classified"], counts["failed"]) == (1, 0)


def test_unreadable_folder_is_in_the_status_until_readable(ordinary_daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "sub" / "a.jpg", photo(5))
    (inbox / "sub").chmod(0)
    daemon = ordinary_daemon.start()
    put(inbox / "b.jpg", photo(6))
    daemon.wait_for_classified("b.jpg", photo(6))
    eventually(lambda: "sub" in (daemon.status()["watcher"]["trouble"] or ""), "the status contains the folder")
    (inbox / "sub").chmod(0o755)

    daemon.wait_for_classified("sub/a.jpg", photo(5))
    eventually(lambda: daemon.status()["watcher"]["trouble"] is None, "the status has no error any more")


def test_unreadable_folder_is_reported_alike_everywhere(
    ordinary_daemon: DaemonProcess, inbox: Path, tmp_path: Path
) -> None:
    put(inbox / "sub" / "a.jpg", photo(5))
    put(inbox / "b.jpg", photo(6))
    (inbox / "sub").chmod(0)
    daemon = ordinary_daemon.start()
    daemon.wait_for_classified("b.jpg", photo(6))
    message = f"{inbox}/sub: the folder cannot be read: Permission denied; try: chmod -R u+rX {inbox}/sub"
    eventually(lambda: daemon.status()["watcher"]["trouble"] == message, "/status reports it")

    def command(*args: str) -> "subprocess.CompletedProcess[str]":
        flags = ["--inbox", str(inbox), "--state", str(daemon.state)]
        words = [*without_override(), sys.executable, "-m", "dogid", *args, *flags]
        return subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, cwd=tmp_path)

    daemon.wait_for_log(message)
    healthy = {"status": "ok", "reason": message, "problem": message}
    eventually(lambda: fetch(daemon.url, "/healthz").document == healthy, "/healthz reports it")
    eventually(lambda: message in command("status").stdout, "dogid status reports it")
    assert f"WRONG  inbox    {message}" in command("check").stdout
    assert message in command("why", "sub/a.jpg").stderr
    audit = command("audit")
    assert message in audit.stderr
    assert audit.stdout.startswith("1 photo in the inbox: nothing lost")
    assert audit.returncode == 1


def test_folder_without_execute_permission_is_in_the_status(ordinary_daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "sub" / "a.jpg", photo(7))
    (inbox / "sub").chmod(0o444)
    daemon = ordinary_daemon.start()
    eventually(lambda: "sub" in (daemon.status()["watcher"]["trouble"] or ""), "the status contains the folder")
    (inbox / "sub").chmod(0o755)

    daemon.wait_for_classified("sub/a.jpg", photo(7))


def test_inbox_without_write_permission_works(ordinary_daemon: DaemonProcess, inbox: Path) -> None:
    daemon = ordinary_daemon.start()
    put(inbox / "a.jpg", photo(8)).chmod(0o444)
    inbox.chmod(0o555)
    try:
        daemon.wait_for_classified("a.jpg", photo(8))
        daemon.wait_for_clean_audit(1)
    finally:
        inbox.chmod(0o755)


@needs_root
def test_read_only_mounted_inbox_works(make_daemon: MakeDaemon, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(9))
    script = f'mount --bind "{inbox}" "{inbox}" && mount -o remount,bind,ro "{inbox}" && exec "$@"'
    daemon = make_daemon(before=["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]).start()

    daemon.wait_for_classified("a.jpg", photo(9))


@needs_root
def test_full_disk_loses_nothing(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    state = tmp_path / "small"
    state.mkdir()
    script = f'mount -t tmpfs -o size=12m tmpfs "{state}" && exec "$@"'
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    daemon = make_daemon("--settle", "1", before=before, state=state).start()
    put(inbox / "first.jpg", photo(10))
    daemon.wait_for_classified("first.jpg", photo(10))
    filler = Path(f"/proc/{daemon.pid}/root{state}/filler")
    fill(filler)
    names = [f"{number}.jpg" for number in range(300)]
    for name in [*names, "not-yet.jpg"]:
        put(inbox / name, photo(11))
    daemon.wait_for_log("cannot be written")
    assert daemon.status()["counts"]["classified"] < len(names)
    assert daemon.running
    check_full_disk_is_reported_alike(daemon, inbox, state)
    check_label_is_refused_not_lost(daemon, state)
    filler.unlink()

    daemon.wait_for_all_answers(len(names) + 2)
    assert daemon.status()["counts"] == {"pending": 0, "classified": len(names) + 2, "failed": 0}
    audit = run_beside(daemon, inbox, state, "audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def check_full_disk_is_reported_alike(daemon: DaemonProcess, inbox: Path, state: Path) -> None:
    """Assert that all places name the full disk, and the way out."""
    message = f"{state}: the ledger cannot be written, as its disk is full; make room there: photos wait, none is lost"
    eventually(lambda: daemon.status()["watcher"]["trouble"] == message, "/status reports it")

    eventually(lambda: message in run_beside(daemon, inbox, state, "status").stdout, "dogid status reports it")
    said = {name: run_beside(daemon, inbox, state, *name.split()) for name in ("check", "audit", "why not-yet.jpg")}
    daemon.wait_for_log(message)
    assert message in fetch(daemon.url, "/").body.decode()
    assert [name for name, done in said.items() if message not in done.stdout + done.stderr] == []
    assert said["check"].returncode == 1


def check_label_is_refused_not_lost(daemon: DaemonProcess, state: Path) -> None:
    """Assert that a person learns that a label was not stored."""
    path = f"/results/{daemon.wait_for_answer('first.jpg')['id']}/label"
    body, headers = b'{"label": "wolf"}', {"Content-Type": "application/json"}
    refused = fetch(daemon.url, path, method="POST", body=body, headers=headers)

    assert (refused.status, refused.code) == (503, "ledger_unavailable")
    assert refused.document["error"]["message"].startswith(f"not stored: {state}: the ledger cannot be written")
    assert daemon.wait_for_answer("first.jpg")["reviewed"] is None


def run_beside(daemon: DaemonProcess, inbox: Path, state: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that sees the disks of a daemon in a mount namespace of its own."""
    command = ["nsenter", "--mount", "--target", str(daemon.pid), sys.executable, "-m", "dogid", *args]
    command += ["--inbox", str(inbox), "--state", str(state)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


def fill(path: Path) -> None:
    """Write until the disk is full to the last byte."""
    size = 1 << 16
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2


def test_bad_files_do_not_affect_good_ones(daemon: DaemonProcess, inbox: Path) -> None:
    bad = [b"", b"no photo", photo(12)[:-3000], photo(13, "PNG")[:200], b"\xff\xd8\xff" + bytes(500), b"GIF89a"]
    for number in range(60):
        put(inbox / f"{number:02}bad.jpg", bad[number % len(bad)])
        if number % 10 == 5:
            put(inbox / f"{number:02}good.jpg", photo(number))

    for number in range(5, 60, 10):
        daemon.wait_for_classified(f"{number:02}good.jpg", photo(number))
    results = daemon.wait_for_all_answers(66)
    assert {result["status"] for result in results if "bad" in result["file"]} == {"failed"}


def test_suspend_fails_no_photo(make_daemon: MakeDaemon, inbox: Path) -> None:
    slow = photo(1, "PNG", size=(1600, 1200))
    for number in range(40):
        put(inbox / f"{number}.png", slow + bytes([number]))
    daemon = make_daemon("--decode-timeout", "2").start()
    eventually(lambda: daemon.status()["counts"]["classified"] > 0, "the daemon is at work")

    daemon.send(signal.SIGSTOP)
    time.sleep(3.5)  # longer than decode_timeout: what is waited for is the time itself
    daemon.send(signal.SIGCONT)

    assert {result["status"] for result in daemon.wait_for_all_answers(40)} == {"classified"}
