"""Faults of an output's own code and of the store: nothing ends in silence, and all goes on after them."""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from dogid.outputs.output import Delivery, RefusedError
from dogid.outputs.store import OutputStore
from dogid.outputs.trial_messages import DISCARD, RETRY, TEST, ask_daemon_for, read_outcome
from tests.outputs.support import OutputRig, Recorder
from tests.support.waiting import eventually

TABLE = {"all": {"type": "recorder"}}


class _Faulty(Recorder):
    """Has faults in its own code, as plugins do."""

    tend_fault: Exception | None = None
    close_fault: Exception | None = None
    breaks_at: str | None = None
    """The label of results that it cannot cope with."""

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        if deliveries[0].result["label"] == self.breaks_at:
            raise KeyError(self.breaks_at)
        super().send(deliveries[:1], acknowledged)

    def tend(self) -> float | None:
        if self.tend_fault is not None:
            raise self.tend_fault
        return None

    def close(self) -> None:
        super().close()
        if self.close_fault is not None:
            raise self.close_fault


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> _Faulty:
    waits = ("opening._RETRY_SECONDS", "running_outputs._RETRY_SECONDS", "runner._LONGEST_STORE_WAIT")
    for name in (*waits, "runner._LONGEST_WAIT"):
        monkeypatch.setattr(f"dogid.outputs.{name}", 0.01)
    made = _Faulty()
    made.register(monkeypatch)
    return made


@contextmanager
def refusing(rig: OutputRig, event: str) -> Iterator[None]:
    """Have the store's database refuse something, as INSERT ON parked, by SQLite's own error."""
    with closing(sqlite3.connect(rig.state / "outputs.db", isolation_level=None)) as db:
        db.execute(f"CREATE TRIGGER refusing BEFORE {event} BEGIN SELECT RAISE(ABORT, 'out of order'); END")
        try:
            yield
        finally:
            db.execute("DROP TRIGGER refusing")


def test_delivery_that_breaks_the_output_is_parked(
    rig: OutputRig, faulty: _Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.breaks_at = "pug"
    rig.start(TABLE)
    rig.add("a.jpg", "pug")
    last = rig.add("b.jpg")
    state = rig.wait_for("all", backlog=0, sent=1, parked=1)

    assert faulty.taken[0].result["id"] == last
    assert state["refusal"]["reason"] == "internal error: KeyError: 'pug'"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["output all: internal error"]


@pytest.mark.parametrize("fault", [ValueError("a fault of its code"), RefusedError("403: go away")])
def test_fault_while_idle_parks_nothing(
    rig: OutputRig, faulty: _Faulty, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.tend_fault = fault
    rig.start(TABLE)
    rig.add("a.jpg")
    eventually(lambda: rig.state_of("all")["failed"] > 5, "it is tried again and again")
    state = rig.state_of("all")
    assert (state["error"]["message"], state["parked"], state["backlog"]) == (str(fault), 0, 1)
    faulty.tend_fault = None
    rig.wait_for("all", backlog=0, sent=1, ok=True)

    traces = [record for record in caplog.records if record.exc_info]
    assert len(traces) == (not isinstance(fault, RefusedError))  # once, not with each try


def test_output_that_cannot_be_closed_ends_all_the_same(
    rig: OutputRig, faulty: _Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.close_fault = ValueError("closed already")
    rig.start(TABLE)
    rig.add("a.jpg")
    rig.wait_for("all", sent=1)
    rig.stop()

    assert faulty.closed == 1
    assert "output all: could not be closed" in caplog.text
    assert "are left" not in caplog.text


def test_store_that_takes_nothing_aside_loses_nothing(rig: OutputRig, faulty: _Faulty) -> None:
    faulty.fault = RefusedError("400: no such label")
    rig.start(TABLE)
    with refusing(rig, "INSERT ON parked"):
        rig.add("a.jpg")
        state = eventually(
            lambda: (found := rig.state_of("all"))["error"] and "order" in found["error"]["message"] and found,
            "the fault of the store is shown",
        )
        assert state["error"]["message"] == "outputs.db or the ledger cannot be read or written: out of order"
        assert (state["backlog"], state["parked"]) == (1, 0)

    assert rig.wait_for("all", backlog=0, parked=1)["refusal"]["reason"] == "400: no such label"


def test_outcome_that_cannot_be_noted_ends_no_output(
    rig: OutputRig, faulty: _Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = rig.start(TABLE)
    with refusing(rig, "UPDATE OF ok ON test_request"), closing(OutputStore(rig.state)) as store:
        request = ask_daemon_for(TEST, store, "all", rig.clock)
        assert keeper.answer_requests()
        eventually(lambda: "the outcome of a test cannot be noted: out of order" in caplog.text, "it is logged")
        assert read_outcome(store, request) is None
    rig.add("a.jpg")
    rig.wait_for("all", sent=1, ok=True)
    assert [delivery.is_test for delivery in faulty.taken] == [True, False]


def test_request_that_the_store_refuses_says_so(rig: OutputRig, faulty: _Faulty) -> None:
    faulty.fault = RefusedError("404")
    keeper = rig.start(TABLE)
    rig.add("a.jpg")
    rig.wait_for("all", parked=1)
    with refusing(rig, "DELETE ON parked"), closing(OutputStore(rig.state)) as store:
        requests = [ask_daemon_for(action, store, "all", rig.clock) for action in (RETRY, DISCARD)]
        assert keeper.answer_requests()
        outcomes = [read_outcome(store, request) for request in requests]
    for outcome in outcomes:
        assert outcome is not None
        assert not outcome.ok
        assert outcome.detail == "outputs.db or the ledger cannot be read or written: out of order"
    assert rig.state_of("all")["parked"] == 1


def test_rules_go_on_after_a_fault_of_the_store(
    rig: OutputRig, faulty: _Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    faulty.wants_all = False
    rig.start(TABLE, [{"to": ["all"]}])
    with refusing(rig, "INSERT ON outbox"):
        ids = [rig.add("a.jpg")]
        state = rig.wait_for("all", ok=False)
        assert state["error"]["message"] == (
            "rules cannot be applied: outputs.db or the ledger cannot be read or written: out of order"
        )
        ids.append(rig.add("b.jpg"))
        eventually(lambda: rig.state_of("all")["next_try_at"] != state["next_try_at"], "they are tried again")
        assert rig.state_of("all")["error"] == state["error"]  # since the first fault
    rig.wait_for("all", ok=True, error=None, sent=2)
    assert [delivery.result["id"] for delivery in faulty.taken] == ids
    assert caplog.text.count("rules cannot be applied, and are tried again") == 1


def test_events_of_a_removed_output_are_counted_as_dropped(
    rig: OutputRig, faulty: _Faulty, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    phone = Recorder(wants_all=False, fault=RefusedError("not now"))
    phone.register(monkeypatch, "phone")
    monkeypatch.setattr("dogid.outputs.runner._TRIES", 1 << 30)
    rig.start({**TABLE, "phone": {"type": "phone"}}, [{"to": ["phone"]}])
    rig.add("a.jpg")
    rig.wait_for("phone", backlog=1)
    rig.wait_for("all", sent=1)
    rig.start(TABLE)

    assert "output phone is no longer in the settings: 1 events that waited for it are dropped" in caplog.text
    assert rig.state_of("all")["sent"] == len(faulty.taken) == 1


def test_outputs_start_by_themselves_once_the_store_is_in_order(rig: OutputRig, faulty: _Faulty) -> None:
    rig.start(TABLE)
    rig.stop()
    with refusing(rig, "INSERT ON configured"):
        rig.start(TABLE)
        assert "out of order" in rig.wait_for("all", ok=False)["error"]["message"]
        rig.add("a.jpg")
    rig.wait_for("all", ok=True, error=None, sent=1)
    assert len(faulty.taken) == 1
