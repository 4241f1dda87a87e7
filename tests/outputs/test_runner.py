"""Each output gets all that is for it, in order, over faults and restarts of either side."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dogid.clock import parse_moment
from dogid.outputs.output import Delivery, OutputError, RefusedError
from dogid.outputs.store import OutputStore
from dogid.outputs.trial_messages import RETRY, ask_daemon_for, change_parked, read_outcome
from tests.outputs.support import OutputRig, Recorder
from tests.support.waiting import eventually

TABLE = {"all": {"type": "recorder"}}
FORMER_STORE = """
CREATE TABLE stream (id TEXT NOT NULL) STRICT;
INSERT INTO stream VALUES ('0');
CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, id TEXT NOT NULL,
    seq INTEGER NOT NULL, rule TEXT NOT NULL, count INTEGER NOT NULL, result_id INTEGER NOT NULL, at INTEGER NOT NULL)
    STRICT;
CREATE TABLE parked (number INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, id TEXT NOT NULL,
    result_id INTEGER, rule TEXT, reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
INSERT INTO parked VALUES (1, 'all', '0-3', 3, NULL, '404', 5);
CREATE TABLE open_burst (rule TEXT NOT NULL) STRICT;
CREATE TABLE state (output TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE test_request (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
"""


def test_results_and_reviews_arrive_in_order(rig: OutputRig, recorder: Recorder) -> None:
    rig.add("before.jpg")
    rig.start(TABLE)
    ids = [rig.add(f"{number}.jpg") for number in range(30)]
    rig.review(ids[0], "dog")

    eventually(lambda: len(recorder.taken) == 31, "all arrive")
    assert [delivery.result["id"] for delivery in recorder.taken] == [*ids, ids[0]]
    assert [delivery.kind for delivery in recorder.taken[-2:]] == ["result", "review"]
    assert len({delivery.id for delivery in recorder.taken}) == 31
    assert rig.wait_for("all", backlog=0, sent=31)["ok"]


def test_output_goes_on_where_it_stopped(rig: OutputRig, recorder: Recorder) -> None:
    rig.start(TABLE)
    rig.stop()
    ids = [rig.add(f"{number}.jpg") for number in range(5)]
    rig.start(TABLE)
    rig.wait_for("all", backlog=0, sent=5)
    assert [delivery.result["id"] for delivery in recorder.taken] == ids


def test_fault_delays_and_loses_nothing(rig: OutputRig, recorder: Recorder) -> None:
    recorder.fault = OutputError("nobody is there", retry_after=0)
    rig.start(TABLE)
    ids = [rig.add(f"{number}.jpg") for number in range(3)]
    state = rig.wait_for("all", ok=False, backlog=3)
    assert state["error"]["message"] == "nobody is there"
    assert state["next_try_at"]
    recorder.fault = None
    rig.wait_for("all", ok=True, backlog=0, sent=3, error=None)
    assert [delivery.result["id"] for delivery in recorder.taken] == ids


def test_refused_delivery_is_parked(rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    recorder.fault = RefusedError("400: no such label")
    recorder.refuses = lambda delivery: delivery.result["label"] == "pug"
    rig.start(TABLE)
    rig.add("a.jpg")
    rig.add("b.jpg", "pug")
    last = rig.add("c.jpg")
    state = rig.wait_for("all", backlog=0, sent=2, parked=1)
    assert recorder.taken[-1].result["id"] == last
    assert state["failed"] >= 3
    assert not state["ok"]
    assert state["refusal"]["reason"] == "400: no such label"


@pytest.mark.parametrize("rules", [[], [{"to": ["all"], "burst": 0.01}]])
def test_parked_delivery_is_sent_again_on_request(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, rules: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    recorder.wants_all, recorder.wants_events = not rules, bool(rules)
    recorder.fault = RefusedError("404")
    keeper = rig.start(TABLE, rules)
    asked = [rig.add("a.jpg"), rig.add("yard/b.jpg")]
    rig.wait_for("all", backlog=0, parked=2, error=None, ok=False)
    recorder.fault = None
    with closing(OutputStore(rig.state)) as store:
        refused = store.list_parked("all")
        request = ask_daemon_for(RETRY, store, "all", rig.clock)
        assert keeper.answer_requests()
        outcome = read_outcome(store, request)
    assert outcome is not None
    assert outcome.detail == "2 refused deliveries are sent again"
    rig.wait_for("all", sent=2, parked=0, refusal=None, ok=True)
    assert [delivery.result["id"] for delivery in recorder.taken] == asked
    assert [delivery.id for delivery in recorder.taken] == [each.id for each in reversed(refused)]
    assert {delivery.kind for delivery in recorder.taken} == {"event" if rules else "result"}


def test_replaced_photo_is_not_sent_again(rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    recorder.fault = RefusedError("in the way")
    rig.start(TABLE)
    rig.add("a.jpg")
    rig.wait_for("all", parked=1, backlog=0)
    recorder.fault = None
    newer = rig.add("a.jpg", "dog", data=b"another")
    rig.wait_for("all", sent=1)
    rig.stop()
    with closing(OutputStore(rig.state)) as store:
        assert change_parked(store, RETRY, "all").ok
    rig.start(TABLE)
    rig.wait_for("all", parked=0, backlog=0)
    assert [delivery.result["id"] for delivery in recorder.taken] == [newer]


def test_too_many_refusals_hold_up_the_rest(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    monkeypatch.setattr("dogid.outputs.store.MOST_PARKED", 1)
    recorder.fault = RefusedError("404")
    rig.start(TABLE)
    rig.add("a.jpg")
    waiting = rig.add("b.jpg")
    rig.wait_for("all", parked=1, backlog=1)
    eventually(lambda: rig.state_of("all")["failed"] > 9, "the other one is tried again and again")
    assert rig.state_of("all")["parked"] == 1
    recorder.fault = None
    rig.wait_for("all", parked=1, backlog=0)
    assert [delivery.result["id"] for delivery in recorder.taken] == [waiting]


def test_log_has_each_cause_once_and_no_early_success(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    caplog.set_level("INFO")
    recorder.fault = OutputError("the connection was lost")
    rig.start(TABLE)
    rig.add("a.jpg")
    rig.wait_for("all", ok=False)
    for cause in (OutputError("wrong password"), OutputError("the connection was lost"), RefusedError("404")):
        failed = rig.state_of("all")["failed"]
        recorder.fault = cause
        eventually(lambda before=failed: rig.state_of("all")["failed"] > before + 2, "it is tried")  # type: ignore[misc]
    rig.wait_for("all", backlog=0, parked=1, error=None)
    causes = [record.getMessage().rpartition(": ")[2] for record in caplog.records if "get through" in record.message]
    assert causes == ["the connection was lost", "wrong password", "404"]
    assert "works again" not in caplog.text
    recorder.fault = None
    rig.add("b.jpg")
    eventually(lambda: "output all works again" in caplog.text, "the log says so")


def test_store_of_the_former_version_is_updated(rig: OutputRig) -> None:
    path = rig.state / "outputs.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMER_STORE)
    with closing(OutputStore(rig.state)) as store:
        assert store.retry_parked("all") == 1
        assert [(event.id, event.kind, event.at_ms) for event in store.list_events("all", 9)] == [("0-3", "result", 5)]
    assert not list(rig.state.glob("*.damaged-*"))


def test_refused_result_is_parked_while_events_pass(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    recorder.fault = RefusedError("400: no such label")
    with closing(OutputStore(rig.state)) as store:

        def refuse(delivery: Delivery) -> bool:
            """Refuse results, with an event that comes just then."""
            is_result = delivery.kind == "result"
            if is_result:
                with store.transaction() as db:
                    row = ("all", f"event-{len(recorder.taken)}", delivery.seq, "r", delivery.result["id"])
                    db.execute(
                        "INSERT INTO outbox (output, id, seq, rule, count, result_id, at) VALUES (?, ?, ?, ?, 1, ?, 0)",
                        row,
                    )
            return is_result

        recorder.refuses = refuse
        rig.start(TABLE)
        rig.add("a")
        rig.wait_for("all", backlog=0, parked=1)
    assert [delivery.kind for delivery in recorder.taken] == ["event"] * 4


def test_each_version_of_an_overwritten_file_arrives(rig: OutputRig, recorder: Recorder) -> None:
    rules = [{"labels": ["pug"], "to": ["all"]}]
    rig.start(TABLE, rules)
    rig.stop()
    for number, label in enumerate(["pug", "cat", "dog"]):
        rig.add("latest.jpg", label, data=bytes([number]))
    rig.start(TABLE, rules)
    rig.settle()
    results = [delivery.result for delivery in recorder.taken if delivery.kind == "result"]
    assert [(result["label"], result["present"]) for result in results] == [
        ("pug", False),
        ("cat", False),
        ("dog", True),
    ]
    assert [delivery.result["label"] for delivery in recorder.taken if delivery.kind == "event"] == ["pug"]


def test_events_of_forgotten_versions_are_counted(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_WAIT", 0.01)
    recorder.wants_all, recorder.fault = False, OutputError("no connection")
    rig.ledger.keep_versions(1)
    rig.start(TABLE, [{"to": ["all"]}])
    for number in range(4):
        rig.add("latest.jpg", data=bytes([number]))
        rig.wait_for("all", backlog=min(2, number + 1), missed=max(0, number - 1))
    recorder.fault = None
    rig.wait_for("all", backlog=0, sent=2, missed=2, ok=True)
    assert [delivery.result["present"] for delivery in recorder.taken] == [False, True]
    assert "the ledger no longer has their results: 1 (see keep_versions)" in caplog.text


def test_other_side_can_ask_for_an_hour_at_most(rig: OutputRig, recorder: Recorder) -> None:
    recorder.fault = OutputError("429: too many", retry_after=5000)
    rig.start(TABLE)
    rig.add("a")
    asked = rig.wait_for("all", ok=False)["next_try_at"]
    assert parse_moment(asked) - rig.clock.wall_ms() == pytest.approx(3600_000, abs=60_000)
