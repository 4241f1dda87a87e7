"""`dogid results`: lists, filters and follows the results of a daemon."""

import contextlib
import json
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.support.ctrl_c import INTERRUPTED, dogid_in_a_terminal
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.own_commands import run_here
from tests.support.photos import photo, put
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def answered(shared_daemon: DaemonProcess) -> DaemonProcess:
    """A daemon with a classified and a failed photo. Not to be changed by tests."""
    return answer_two(shared_daemon)


def answer_two(daemon: DaemonProcess) -> DaemonProcess:
    """Have a daemon answer for a photo, then for a file that is none."""
    put(daemon.inbox / "good.jpg", photo(1))
    daemon.wait_for_status("good.jpg", "classified")
    put(daemon.inbox / "text.jpg", b"no photo at all")
    daemon.wait_for_status("text.jpg", "failed")
    return daemon


def list_names(*flags: str) -> list[str]:
    return [result["file"] for result in json.loads(run_here("results", "--json", *flags).stdout)["results"]]


def test_results_are_limited_and_filtered(answered: DaemonProcess) -> None:
    state = ("--state", str(answered.state))
    label = answered.results_by_name()["good.jpg"]["label"]

    assert list_names(*state) == ["text.jpg", "good.jpg"]
    assert list_names("--limit", "1", *state) == ["text.jpg"]
    assert list_names("--status", "classified", *state) == ["good.jpg"]
    assert list_names("--status", "pending", *state) == []
    assert list_names("--label", label, *state) == ["good.jpg"]


def test_unknown_label_is_an_error_that_names_the_labels(answered: DaemonProcess) -> None:
    label = answered.results_by_name()["good.jpg"]["label"]
    done = run_here("results", "--label", f"{label}s", "--state", str(answered.state))

    assert done.returncode == 2
    assert f"labels are {label}" in done.stderr


def test_photo_that_has_left_is_marked(daemon: DaemonProcess, inbox: Path) -> None:
    for number, name in enumerate(("gone.jpg", "here.jpg")):
        put(inbox / name, photo(number))
        daemon.wait_for_status(name, "classified")
    (inbox / "gone.jpg").unlink()
    eventually(lambda: not daemon.results_by_name()["gone.jpg"]["present"], "the departure is noted")
    here, gone = daemon.command("results").stdout.splitlines()

    assert here.endswith("  here.jpg")
    assert gone.endswith("  gone.jpg  left the inbox")


def test_audit_and_health_without_an_inbox(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1))
    daemon.wait_for_status("a.jpg", "classified")
    inbox.rename(inbox.with_name("moved"))
    message = f"{inbox}: the inbox is missing; bring it back, or mount its disk"
    audit = daemon.command("audit")
    assert (audit.returncode, audit.stderr) == (1, f"dogid: {message}\n")

    health = eventually(
        lambda: found if (found := fetch(daemon.url, "/healthz").document).get("problem") else None,
        "the health names it",
    )
    assert health == {"status": "ok", "reason": message, "problem": message}


def test_failed_photo_is_listed_with_its_code(answered: DaemonProcess) -> None:
    code = answered.results_by_name()["text.jpg"]["error"]["code"]
    lines = run_here("results", "--state", str(answered.state)).stdout.splitlines()

    assert f"(failed: {code})" in lines[0]
    assert lines[0].endswith("text.jpg")


@pytest.mark.parametrize("limit", ["0", "-1", "1000001"])
def test_limit_out_of_range_is_refused(tmp_path: Path, limit: str) -> None:
    done = run_here("results", "--limit", limit, "--state", str(tmp_path))

    assert done.returncode == 2
    assert "--limit must be from 1 to 1000000" in done.stderr


def test_missing_ledger_is_explained(tmp_path: Path) -> None:
    done = run_here("results", "--state", str(tmp_path))

    assert done.returncode == 2
    assert f"{tmp_path / 'ledger.db'}: there is no ledger" in done.stderr


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_follow_prints_new_results_until_ctrl_c(daemon: DaemonProcess, inbox: Path, flags: tuple[str, ...]) -> None:
    answer_two(daemon)
    command = dogid_in_a_terminal(
        *("results", "--follow", "--status", "classified", "--state", str(daemon.state)), *flags
    )
    with command:
        assert command.stdout is not None
        assert "good.jpg" in command.stdout.readline()
        put(inbox / "more text.jpg", b"no photo either")
        daemon.wait_for_status("more text.jpg", "failed")
        put(inbox / "new.jpg", photo(2))
        line = command.stdout.readline()
        command.send_signal(signal.SIGINT)
        rest = command.stdout.read()

    assert "new.jpg" in line
    assert rest == ""
    assert command.returncode in INTERRUPTED


def test_older_ledger_is_read_while_the_daemon_is_stopped(tmp_path: Path) -> None:
    schema = Path(__file__).parents[1] / "ledger" / "upgrade" / "schema_1.sql"
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.executescript(schema.read_text())
    done = run_here("results", "--state", str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert "latest.jpg" in done.stdout
