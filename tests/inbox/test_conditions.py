"""What is wrong around the daemon is said in the same words everywhere."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dogid.daemon import overall_health
from dogid.daemon.daemon import Daemon
from dogid.settings import Settings
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch, fetch_page
from tests.support.own_commands import run_here
from tests.support.photos import photo, put
from tests.support.privileges import needs_root, without_override
from tests.support.waiting import eventually


def test_missing_inbox_is_reported_alike_everywhere(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1))
    daemon.wait_for_all_answers(1)
    inbox.rename(inbox.with_name("away"))
    message = f"{inbox}: the inbox is missing; bring it back, or mount its disk"
    eventually(lambda: daemon.status()["watcher"]["trouble"] == message, "/status reports it")

    eventually(lambda: message in daemon.command("status").stdout, "dogid status reports it")
    assert json.loads(daemon.command("status", "--json").stdout)["problem"] == message
    checks = json.loads(daemon.command("check", "--json").stdout)["checks"]
    assert next(check for check in checks if check["name"] == "inbox")["detail"] == message
    assert message in daemon.command("audit").stderr
    assert message in daemon.command("why", "b.jpg").stderr
    assert message in fetch(daemon.url, "/").body.decode()
    daemon.wait_for_log(message)
    assert daemon.results()[0]["present"]


def test_status_names_the_inbox_and_model_of_the_daemon(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    def status() -> dict[str, Any]:
        elsewhere = str(tmp_path / "elsewhere")
        done = run_here(
            "status", "--json", "--state", str(daemon.state), "--inbox", elsewhere, "--model", "other.tflite"
        )
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    eventually(lambda: status()["inbox"] == str(inbox), "the daemon has noted its inbox")
    assert status()["model"].startswith("dogid.tflite, fed 224 x 224")
    assert status()["problem"] is None


def test_inbox_missing_for_a_minute_is_not_healthy(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overall_health, "BLOCKED_SECONDS", 0.2)
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=1))
    with daemon.running():
        eventually(lambda: daemon.health.ok, "it is healthy")
        inbox.rename(tmp_path / "away")
        eventually(lambda: not daemon.health.ok, "it is not healthy")
        assert "the inbox is missing" in daemon.health.reason
        (tmp_path / "away").rename(inbox)
        eventually(lambda: daemon.health.ok, "it is healthy again")


def test_links_that_are_not_followed_are_explained(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "usb" / "a.jpg", photo(1))
    put(inbox / "own.jpg", photo(2))
    (inbox / "usb").symlink_to(outside.parent)
    (inbox / "out.jpg").symlink_to(outside)
    (inbox / "last.jpg").symlink_to("own.jpg")
    daemon.wait_for_classified("own.jpg", photo(2))

    assert "usb is a link, and dogid enters no linked folders" in daemon.command("why", "usb/a.jpg").stderr
    assert "out of the inbox, which dogid does not follow" in daemon.command("why", "out.jpg").stderr
    assert "a link to own.jpg, which counts under its own name" in daemon.command("why", "last.jpg").stderr
    message = "usb is a link, and dogid enters no linked folders; mount the folder there (mount --bind), or copy it"
    for command in ("check", "audit"):
        output = daemon.command(command).stdout
        assert "2 links lead out of the inbox: " in output
        assert f"out.jpg: it is a link to {outside}, out" in output or message in output

    (inbox / "out.jpg").unlink()
    message = f"1 link leads out of the inbox: {message}"
    eventually(lambda: daemon.status()["watcher"]["links_out"] == message, "/status reports it")
    assert message in fetch_page(daemon.url, "/status")
    assert message in daemon.command("status").stdout
    assert daemon.status()["watcher"]["trouble"] is None
    daemon.stop()
    assert json.loads(daemon.command("status", "--json").stdout)["links_out"] == message
    (inbox / "usb").unlink()
    assert json.loads(daemon.command("status", "--json").stdout)["links_out"] is None


def test_link_out_of_inbox_is_logged_once(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    put(inbox / "own.jpg", photo(1))
    (inbox / "last.jpg").symlink_to("own.jpg")
    (inbox / "gone.jpg").symlink_to("missing.jpg")
    (inbox / "out.jpg").symlink_to(put(tmp_path / "usb.jpg", photo(2)))
    message = f"out.jpg: it is a link to {tmp_path / 'usb.jpg'}, out of the inbox, which dogid does not follow"
    daemon.wait_for_log(message)
    for _ in range(2):
        daemon.wait_for_next_scan()

    assert daemon.log_text().count("a link to") == 1
    assert "a link to missing.jpg, which is not a regular file" in daemon.command("why", "gone.jpg").stderr


def test_why_names_folders_and_special_files(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "sub").mkdir()
    os.mkfifo(inbox / "pipe.jpg")

    assert "it is a folder, and not a photo" in daemon.command("why", "sub").stderr
    assert "it is a named pipe, and not a photo" in daemon.command("why", "pipe.jpg").stderr
    assert "there is no such file" in daemon.command("why", "none.jpg").stderr
    for outside in ("/etc/passwd", "../Makefile"):
        assert "it lies outside of the inbox" in daemon.command("why", outside).stderr


def test_audit_calls_no_file_lost_while_no_daemon_runs(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1))
    daemon.wait_for_all_answers(1)
    daemon.stop()
    (inbox / "a.jpg").rename(inbox / "b.jpg")
    put(inbox / "c.jpg", photo(2))
    audit = daemon.command("audit")

    assert sorted(audit.stdout.splitlines()[:2]) == ["not seen yet: b.jpg", "not seen yet: c.jpg"]
    assert "2 not seen yet, since no daemon runs with this state folder: dogid run, or make run" in audit.stdout
    assert "lost" not in audit.stdout
    assert audit.returncode == 1
    assert sorted(daemon.audit()["lost"]) == ["b.jpg", "c.jpg"]


@needs_root
def test_commands_say_that_the_daemon_sees_another_inbox(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    put(tmp_path / "photos" / "a.jpg", photo(1))
    script = f'mount --bind "{tmp_path / "photos"}" "{inbox}" && exec "$@"'
    daemon = make_daemon(before=["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]).start()
    daemon.wait_for_classified("a.jpg", photo(1))
    message = (
        f"{inbox}: the daemon sees another folder there (BindReadOnlyPaths, or a mount of its own); to look as it does,"
        f" put `sudo nsenter --mount --target {daemon.pid}` before the command"
    )
    eventually(lambda: message in daemon.command("status").stdout, "status says it")

    audit = daemon.command("audit")
    assert (audit.returncode, audit.stderr) == (1, f"dogid: {message}\n")
    assert message in daemon.command("why", "b.jpg").stderr
    assert daemon.command("why", "a.jpg").returncode == 0


@needs_root
def test_service_says_that_home_folders_are_hidden(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o mode=000 tmpfs /home && exec "$@"'  # as ProtectHome does
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *without_override()]
    daemon = DaemonProcess(Path("/home/you/photos"), tmp_path / "state", before=before, environ={"INVOCATION_ID": "00"})
    daemon.launch()

    assert daemon.wait() == 2
    assert "home folders are hidden from the service (ProtectHome)" in daemon.log_text()
    assert "BindReadOnlyPaths=/home/you/photos:/var/lib/dogid/inbox" in daemon.log_text()


@needs_root
def test_service_says_that_a_model_at_home_is_hidden(inbox: Path, tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o mode=000 tmpfs /home && exec "$@"'  # as ProtectHome does
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *without_override()]
    daemon = DaemonProcess(
        inbox, tmp_path / "state", "--model", "/home/you/mine.tflite", before=before, environ={"INVOCATION_ID": "00"}
    )
    daemon.launch()

    assert daemon.wait() == 2
    assert (
        "/home/you/mine.tflite: cannot read the model: Permission denied; the service does not see" in daemon.log_text()
    )
