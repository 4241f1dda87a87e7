"""Outputs as the daemon runs them: stopped, reloaded, killed, behind, on another ledger."""

import io
import os
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dogid.backup.restore import restore_backup
from dogid.backup.write import write_backup
from dogid.commands import outputs as outputs_command
from dogid.errors import UsageError
from dogid.outputs.output import Delivery, OutputError
from dogid.outputs.states import summarise
from dogid.outputs.store import OutputStore
from dogid.outputs.trial_messages import TEST, ask_daemon_for, read_outcome
from tests.outputs.support import NOON, Answer, OutputRig, Recorder, insert_results
from tests.support.photos import photo, put
from tests.support.waiting import eventually

ALL = {"all": {"type": "recorder"}}
PHONE = {**ALL, "phone": {"type": "phone"}}
RULES = [{"to": ["phone"]}]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder(batch=100)
    made.register(monkeypatch)
    return made


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder(wants_all=False)
    made.register(monkeypatch, "phone")
    return made


def test_hanging_output_delays_neither_others_nor_the_stop(rig: OutputRig, recorder: Recorder, phone: Recorder) -> None:
    recorder.gate.clear()
    rig.start(PHONE, RULES)
    rig.add("a")
    eventually(lambda: len(phone.taken) == 1 and recorder.batches == [1], "one hangs, the other goes on")
    rig.stop(seconds=0.2)
    recorder.gate.set()
    eventually(lambda: recorder.closed, "it ends by itself")
    rig.start(ALL)
    rig.wait_for("all", backlog=0, sent=1)  # what it has sent while it hung was not noted
    assert len({delivery.id for delivery in recorder.taken}) == 1 < len(recorder.taken)


def test_live_events_do_not_wait_for_a_backlog(rig: OutputRig, recorder: Recorder, phone: Recorder) -> None:
    insert_results(rig.ledger, [Answer("gate", "cat", 0.9, NOON, NOON)] * 20_000)
    recorder.gate.clear()
    rig.start({**PHONE, "all": {"type": "recorder", "from_start": True}}, [{"to": ["phone", "all"]}])
    assert rig.state_of("all")["backlog"] == 20_000
    eventually(lambda: recorder.batches, "the first batch is being sent")
    rig.add("live")
    eventually(lambda: phone.taken, "it is decided")
    recorder.gate.set()
    eventually(lambda: any(delivery.kind == "event" for delivery in recorder.taken), "the other has it, too")
    assert [delivery.kind for delivery in recorder.taken].index("event") <= 100  # the batch that was being sent
    assert max(recorder.batches) <= 100
    results = [delivery.seq for delivery in recorder.taken if delivery.kind == "result"]
    assert results == list(range(1, len(results) + 1))


def test_another_ledger_begins_another_stream(rig: OutputRig, recorder: Recorder, phone: Recorder) -> None:
    rig.start(PHONE, RULES)
    for number in range(3):
        rig.add(f"{number}")
    rig.settle()
    rig.replace_ledger()
    rig.add("of the new one, before the start")
    rig.start(PHONE, RULES)
    rig.add("after")
    rig.settle()
    assert [delivery.result["file"] for delivery in recorder.taken[3:]] == ["after"]
    assert len({delivery.id for delivery in [*recorder.taken, *phone.taken]}) == 8
    assert len({delivery.id[:8] for delivery in recorder.taken}) == 2


@pytest.mark.usefixtures("recorder")
def test_wrong_settings_leave_the_former_outputs(rig: OutputRig) -> None:
    rig.start(ALL)
    for table, message in (
        ({"all": {"type": "recordr"}}, "outputs.all.type: there is no output of the type 'recordr'"),
        ({"all": {}}, "outputs.all.type: is missing"),
        ({"a/b": {"type": "recorder"}}, "outputs.a/b: "),
        ({"all": {"type": "recorder", "enabled": "yes"}}, "outputs.all.enabled: "),
    ):
        with pytest.raises(UsageError, match=message):
            rig.start(table)
    rig.add("a")
    rig.wait_for("all", sent=1)


@pytest.mark.usefixtures("recorder")
def test_output_that_is_not_enabled_gets_nothing(rig: OutputRig, phone: Recorder) -> None:
    off: dict[str, dict[str, Any]] = {**PHONE, "phone": {"type": "phone", "enabled": False}}
    keeper = rig.start(off, RULES)
    assert summarise(keeper.states()) == "1 of 1 in order, 1 off"
    with closing(OutputStore(rig.state)) as store:
        request = ask_daemon_for(TEST, store, "phone", rig.clock)
        keeper.answer_requests()
        outcome = read_outcome(store, request)
    assert outcome is not None
    assert "it has `enabled = false`" in outcome.detail
    rig.add("a")
    rig.settle()
    rig.start(PHONE, RULES)
    rig.add("b")
    rig.settle()
    assert [delivery.result["file"] for delivery in phone.taken] == ["b"]
    assert rig.state_of("phone")["enabled"]


@pytest.mark.usefixtures("recorder")
def test_damaged_store_is_moved_aside(rig: OutputRig) -> None:
    (rig.state / "outputs.db").write_bytes(b"no database" * 1000)
    rig.start(ALL)
    rig.add("a")
    rig.wait_for("all", sent=1)
    assert list(rig.state.glob("outputs.db.damaged-*"))


def test_test_message_goes_through_the_running_output(rig: OutputRig, recorder: Recorder) -> None:
    recorder.fault = OutputError("nobody is there")
    keeper = rig.start(ALL)
    rig.add("a")
    rig.wait_for("all", ok=False)
    with closing(OutputStore(rig.state)) as store:
        failing, unknown = ask_daemon_for(TEST, store, "all", rig.clock), ask_daemon_for(TEST, store, "fone", rig.clock)
        assert keeper.answer_requests()
        outcome = eventually(lambda: read_outcome(store, failing), "the outcome is known")
        assert (outcome.ok, outcome.detail) == (False, "nobody is there")
        refused = read_outcome(store, unknown)
        assert refused is not None
        assert "has no such output (it has: all)" in refused.detail
        recorder.fault = None
        passing = ask_daemon_for(TEST, store, "all", rig.clock)
        keeper.answer_requests()
        assert eventually(lambda: read_outcome(store, passing), "the outcome is known").ok
        assert not keeper.answer_requests()
    assert recorder.taken[0].is_test
    rig.wait_for("all", backlog=0)  # it is tried again at once


class _Journal(Recorder):
    """Writes what arrives into a file, as the other side of a daemon that is killed."""

    path: Path

    def send(self, deliveries: Sequence[Delivery], acknowledged: Any) -> None:
        with self.path.open("a") as file:
            for number, delivery in enumerate(deliveries, 1):
                file.write(f"{delivery.id} {delivery.result['id']}\n")
                file.flush()
                time.sleep(0.001)
                acknowledged(number)


def test_kill_loses_nothing_and_repeats_only_ids(rig: OutputRig, monkeypatch: pytest.MonkeyPatch) -> None:
    journals = {name: _Journal(wants_all=name == "all", batch=7) for name in ("all", "phone")}
    for name, journal in journals.items():
        journal.register(monkeypatch, "recorder" if name == "all" else name)
        journal.path = rig.state / f"{name}.log"
    rig.start(PHONE, RULES)
    rig.stop()  # from here on
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            try:
                rig.reopen_readers()
                rig.start(PHONE, RULES)
                signal.pause()
            finally:
                os._exit(1)
        insert_results(rig.ledger, [Answer("gate", "cat", 0.9, NOON, NOON)] * 20)
        _wait_for_growth(journals["phone"].path)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    rig.start(PHONE, RULES)
    rig.settle()
    for journal in journals.values():
        lines = [line.split() for line in journal.path.read_text().splitlines()]
        first_of = {found: at for at, (found, _) in reversed(list(enumerate(lines)))}
        assert [int(lines[at][1]) for at in sorted(first_of.values())] == list(range(1, 121))  # all, in their order
        assert len({(found, result) for found, result in lines}) == 120


def _wait_for_growth(path: Path) -> None:
    path.touch()
    size = path.stat().st_size
    eventually(lambda: path.stat().st_size > size, "something arrives")


def test_restored_backup_goes_on_with_other_ids(rig: OutputRig, recorder: Recorder, tmp_path: Path) -> None:
    rig.start(ALL)
    rig.add("a")
    rig.settle()
    rig.stop()
    rig.add("b")
    backup = tmp_path / "dogid.zip"
    write_backup(rig.state, backup, force=False, on_progress=lambda _: None)
    rig.ledger.close()
    shutil.rmtree(rig.state)
    restore_backup(backup, rig.state, dry_run=False, on_progress=lambda _: None)
    rig.open()
    rig.start(ALL)
    rig.settle()
    assert [delivery.result["file"] for delivery in recorder.taken] == ["a", "b"]
    assert len({delivery.id[:8] for delivery in recorder.taken}) == 2


def test_picture_of_a_photo_is_made_as_long_as_it_is_there(rig: OutputRig, recorder: Recorder) -> None:
    rig.start(ALL)
    rig.add("a.jpg", data=photo(1, size=(1600, 1200)))
    rig.settle()
    assert recorder.context is not None
    result = {**recorder.taken[0].result}
    picture = recorder.context.make_thumbnail(result)
    assert picture is not None
    assert max(Image.open(io.BytesIO(picture)).size) <= 640
    put(rig.inbox / "a.jpg", photo(2))
    assert recorder.context.make_thumbnail(result) is None


def test_command_waits_for_an_output_that_is_sending(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = rig.start(ALL)
    recorder.gate.clear()
    rig.add("a")
    eventually(lambda: recorder.batches, "it is sending")
    monkeypatch.setattr("dogid.daemon.lock_holder.signal_daemon", lambda *_: keeper.answer_requests() or os.getpid())
    monkeypatch.setattr("dogid.daemon.folders.is_running", lambda _: True)
    monkeypatch.setattr(outputs_command, "_ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(outputs_command, "_NOTE_SECONDS", 0.0)
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text)
        recorder.gate.set()

    monkeypatch.setattr(outputs_command, "print_message", note)
    assert outputs_command._ask_daemon(rig.state, "test", "all").ok
    assert len(said) == 1
