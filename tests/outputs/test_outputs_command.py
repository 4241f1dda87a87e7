"""`dogid outputs` without a daemon, and beside one that does not answer."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dogid.commands import outputs as outputs_command
from dogid.daemon.folders import lock_state
from dogid.outputs.output import Delivery
from dogid.outputs.store import OutputStore
from tests.outputs.deliveries import make_delivery
from tests.outputs.support import NOON, OutputRig
from tests.support.own_commands import run_here

SETTINGS = """
[outputs.lines]
type = "jsonl"
path = "{folder}/lines.jsonl"
[outputs.spare]
type = "jsonl"
path = "{folder}/spare.jsonl"
enabled = false
"""


@pytest.fixture
def flags(rig: OutputRig, tmp_path: Path) -> list[str]:
    """The flags that name the rig's folders, and settings with two outputs."""
    config = tmp_path / "dogid.toml"
    config.write_text(SETTINGS.format(folder=tmp_path))
    return ["--config", str(config), "--inbox", str(rig.inbox), "--state", str(rig.state)]


def park(state: Path, *deliveries: Delivery) -> None:
    with closing(OutputStore(state)) as store:
        for delivery in deliveries:
            store.park("lines", delivery, "404: wrong path", NOON)


def test_output_has_to_be_named_and_known(flags: list[str]) -> None:
    unnamed, unknown = run_here("outputs", "test", *flags), run_here("outputs", "retry", "fone", *flags)

    assert (unnamed.returncode, unknown.returncode) == (2, 2)
    assert "name the output: dogid outputs test NAME" in unnamed.stderr
    assert "there is no output fone; the settings have: lines, spare" in unknown.stderr


def test_refused_deliveries_change_without_a_daemon(rig: OutputRig, flags: list[str]) -> None:
    park(rig.state, make_delivery(1), make_delivery(2))
    again = run_here("outputs", "retry", "lines", *flags)
    park(rig.state, make_delivery(3))
    forgotten = run_here("outputs", "discard", "lines", *flags)
    nothing = run_here("outputs", "discard", "lines", *flags, "--json")

    assert (again.returncode, again.stdout) == (0, "output lines: 2 refused deliveries are sent again\n")
    assert forgotten.stdout == "output lines: 1 refused delivery is forgotten\n"
    assert json.loads(nothing.stdout) == {"output": "lines", "ok": True, "detail": "it has refused nothing"}
    with closing(OutputStore(rig.state)) as store:
        assert [event.id for event in store.list_events("lines", 9)] == [make_delivery(n).id for n in (1, 2)]


def test_test_message_without_a_daemon_tries_the_output(flags: list[str], tmp_path: Path) -> None:
    passed = run_here("outputs", "test", "lines", *flags)
    config = tmp_path / "dogid.toml"
    config.write_text(SETTINGS.format(folder=tmp_path / "usb"))
    failed = run_here("outputs", "test", "lines", *flags)

    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.startswith(f"output lines: {tmp_path} can be written, with ")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "usb: No such folder: make its folder, or mount its disk" in failed.stderr


def test_list_names_what_is_off_and_what_was_missed(rig: OutputRig, flags: list[str]) -> None:
    with closing(OutputStore(rig.state)) as store, store.transaction() as db:
        db.execute("INSERT INTO state (output, missed) VALUES ('lines', 2)")
    listed = run_here("outputs", *flags)

    assert listed.returncode == 0
    assert [line.split()[:3] for line in listed.stdout.splitlines()[-2:]] == [
        ["lines", "jsonl", "ok"],
        ["spare", "jsonl", "off"],
    ]
    assert "events that output lines missed: 2; " in listed.stderr
    assert "a larger keep_versions keeps more" in listed.stderr


@contextmanager
def daemon_that(on_request: Callable[[int], object], state: Path) -> Iterator[None]:
    """This process holds the state folder's lock as a daemon does, and does something where a command signals it."""
    lock = lock_state(state)
    former = signal.signal(signal.SIGHUP, lambda *_: on_request(lock))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, former)
        os.closerange(lock, lock + 1)  # where it is still open


def count_requests(state: Path) -> int:
    with closing(OutputStore(state)) as store, store.transaction() as db:
        return int(db.execute("SELECT count(*) FROM test_request").fetchone()[0])


def test_daemon_that_does_not_answer_is_given_up(
    rig: OutputRig, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs_command, "_ANSWER_SECONDS", 0.0)
    with daemon_that(lambda _: None, rig.state):
        asked = run_here("outputs", "test", "lines", *flags)

    assert asked.returncode == 1
    assert "the daemon did not answer within 0 s; see its log" in asked.stderr
    assert count_requests(rig.state) == 0  # so that the daemon does not send it when it comes to itself


def test_daemon_that_stops_meanwhile_is_not_waited_for(rig: OutputRig, flags: list[str]) -> None:
    with daemon_that(os.close, rig.state):
        asked = run_here("outputs", "retry", "lines", *flags)

    assert asked.returncode == 1
    assert "the daemon has stopped before it came to this" in asked.stderr
    assert count_requests(rig.state) == 0


def test_daemon_of_another_container_is_not_signalled(
    rig: OutputRig, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.daemon.lock_holder._LOCKS", tmp_path / "no locks of other containers are listed")
    signalled: list[int] = []
    with daemon_that(signalled.append, rig.state):
        asked = run_here("outputs", "test", "lines", *flags)

    assert asked.returncode == 1
    assert "a daemon uses it that cannot be found from here; is it in another container?" in asked.stderr
    assert (signalled, count_requests(rig.state)) == ([], 0)
