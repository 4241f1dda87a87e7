"""Results rest while photos wait or rules are behind, and events never do."""

import threading
import time
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import Any

import pytest

from dogid.inbox.scan import find_file
from dogid.ledger.outcomes import Classified, Timings
from dogid.outputs import pace as pacing
from dogid.outputs.backlog import Backlog
from dogid.outputs.pace import Pace
from dogid.outputs.photos_first import PhotosFirst
from dogid.outputs.rule_engine import RuleEngine, Step
from dogid.outputs.runner import OutputRunner
from dogid.outputs.store import OutputStore
from tests.outputs.support import NOON, Answer, OutputRig, Recorder, insert_results
from tests.support.photos import put
from tests.support.waiting import eventually


def _add_waiting(rig: OutputRig) -> None:
    """Put a photo into the inbox that waits to be classified."""
    put(rig.inbox / "waits.jpg", b"photo")
    waiting = find_file(rig.inbox, b"waits.jpg")
    assert waiting is not None
    rig.ledger.observe([waiting])


def test_output_that_yields_rests_while_photos_wait(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.outputs.photos_first._TIMES_COST_BESIDE_PHOTOS", 1e9)
    monkeypatch.setattr("dogid.outputs.photos_first._FIRST_REST", 0)
    monkeypatch.setattr("dogid.outputs.photos_first._LOOK_SECONDS", 0.01)
    looks, photos_wait = list[bool](), Backlog.photos_wait

    def look(backlog: Backlog, most: int) -> bool:
        looks.append(photos_wait(backlog, most))
        return looks[-1]

    monkeypatch.setattr(Backlog, "photos_wait", look)
    monkeypatch.setattr(recorder, "yields_to_photos", True, raising=False)
    first = rig.add("first.jpg")
    _add_waiting(rig)
    rig.start({"all": {"type": "recorder", "from_start": True}})
    eventually(lambda: recorder.taken, "the first arrives")
    rig.review(first, "dog")
    seen = len(looks)
    eventually(lambda: len(looks) > seen + 5, "it looks whether photos wait")
    assert len(recorder.taken) == 1

    (job,) = rig.ledger.claim(1, ())
    scores = {"cat": 0.9, "dog": 0.1}
    rig.ledger.record([Classified(job, job.version, "0" * 64, 1, 1, scores, rig.model_id, Timings(1, 1, 1))])
    rig.wait_for("all", backlog=0, sent=3)
    assert [delivery.kind for delivery in recorder.taken] == ["result", "review", "result"]
    assert looks[-1] is False


def test_events_pass_while_results_rest(rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.outputs.photos_first._TIMES_COST_BESIDE_PHOTOS", 1e9)
    monkeypatch.setattr("dogid.outputs.photos_first._FIRST_REST", 0)
    monkeypatch.setattr("dogid.outputs.photos_first.LIVE_PHOTOS", 0)
    rig.add("first.jpg")
    _add_waiting(rig)
    rig.start({"all": {"type": "recorder", "from_start": True}}, [{"labels": ["pug"], "to": ["all"]}])
    eventually(lambda: recorder.taken, "the first arrives")
    for count in (2, 3):
        insert_results(rig.ledger, [Answer("yard", "pug", 0.9, NOON, NOON)])
        rig.signal.announce()
        eventually(lambda count=count: len(recorder.taken) == count, "an event arrives")  # type: ignore[misc]
    assert [delivery.kind for delivery in recorder.taken] == ["result", "event", "event"]

    rig.ledger.connection.db.execute("DELETE FROM photo WHERE state = 'pending'")
    rig.wait_for("all", backlog=0)
    assert [delivery.kind for delivery in recorder.taken[3:]] == ["result", "result"]


def test_results_rest_while_rules_are_behind(
    rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.outputs.photos_first._FIRST_REST", 600)
    result, is_behind = rig.add("a.jpg"), [True]
    with ExitStack() as stack:
        store = stack.enter_context(closing(OutputStore(rig.state)))
        backlog = Backlog("all", store, rig.readers.connection, wants_all=True, wants_events=True)
        backlog.start_where_new(from_start=True)
        runner = OutputRunner("all", recorder, backlog, store, rig.clock, threading.Event(), lambda: is_behind[0])
        runner.start()
        stack.callback(runner.request_stop)
        for count in (1, 2):
            with store.transaction() as db:
                db.execute(
                    "INSERT INTO outbox (output, id, seq, rule, count, result_id, at)"
                    " VALUES ('all', ?, 1, 'r', 1, ?, 0)",
                    (f"event-{count}", result),
                )
            runner.wake_for_events()
            eventually(lambda count=count: len(recorder.taken) >= count, "an event arrives")  # type: ignore[misc]
        is_behind[0] = False
        eventually(lambda: len(recorder.taken) == 3, "the result arrives")
        runner.request_stop()
        assert runner.join(time.monotonic() + 60)
    assert [delivery.kind for delivery in recorder.taken] == ["event", "event", "result"]


def test_rules_say_that_they_are_behind(rig: OutputRig, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.outputs.rule_engine._BATCH", 2)
    monkeypatch.setattr("dogid.outputs.running_outputs.LIVE_PHOTOS", 0)
    questions, answers, rests = list[Any](), list[bool](), list[bool]()
    step, rest = RuleEngine.step, Pace.rest

    class Asking(OutputRunner):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            questions.append(args[-1])

    def ask(engine: RuleEngine) -> Step:
        answers.append(questions[-1]())
        return step(engine)

    def note(pace: Pace, *, many_photos: bool = False) -> float:
        rests.append(many_photos)
        return rest(pace, many_photos=many_photos)

    rules = [{"labels": ["pug"], "to": ["all"]}]
    table = {"all": {"type": "recorder"}}
    rig.start(table, rules)
    rig.stop()
    insert_results(rig.ledger, [Answer("yard", "pug", 0.9, NOON, NOON)] * 5)
    _add_waiting(rig)
    monkeypatch.setattr("dogid.outputs.running_outputs.OutputRunner", Asking)
    monkeypatch.setattr(RuleEngine, "step", ask)
    monkeypatch.setattr(Pace, "rest", note)
    rig.start(table, rules)
    eventually(lambda: rests, "the rules have caught up")
    assert answers[:3] == [False, True, True]
    assert rests[0]
    assert not questions[-1]()
    eventually(lambda: len([each for each in recorder.taken if each.kind == "event"]) == 5, "all events arrive")


def test_photos_that_nothing_classifies_hold_up_nothing(rig: OutputRig, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("dogid.outputs.photos_first.time", SimpleNamespace(monotonic=lambda: now[0]))
    with closing(OutputStore(rig.state)) as store:
        backlog = Backlog("all", store, rig.readers.connection, wants_all=True, wants_events=True)
        photos_first = PhotosFirst(backlog, lambda: False, yields=True)
        assert not photos_first.has_to_rest()
        _add_waiting(rig)
        assert photos_first.has_to_rest()
        photos_first.note_round(1.0)
        now[0] += 9
        assert photos_first.has_to_rest()
        insert_results(rig.ledger, [Answer("yard", "pug", 0.9, NOON, NOON)])
        assert photos_first.has_to_rest()
        now[0] += 9.9
        assert photos_first.has_to_rest()
        now[0] += 0.2
        assert not photos_first.has_to_rest()
        insert_results(rig.ledger, [Answer("yard", "pug", 0.9, NOON, NOON)])
        assert photos_first.has_to_rest()


def test_rests_grow_in_a_stream_of_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    now, used = [1000.0], [5.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], thread_time=lambda: used[0])
    monkeypatch.setattr("dogid.outputs.pace.time", clock)
    pace = Pace()

    def rest(**options: bool) -> float:
        pace.begin()
        seconds = pace.rest(**options)
        now[0] += seconds
        return seconds

    assert [rest(), rest(), rest()] == [pacing._SHORTEST, pacing._LONGEST, pacing._LONGEST]
    assert rest(many_photos=True) == pacing._AMONG_MANY_PHOTOS
    now[0] += 1
    assert rest() == pacing._SHORTEST

    pace.begin()
    used[0] += 0.01
    assert pace.rest_in_backlog(photos_wait=True) == pytest.approx(0.05)
    assert pace.rest_in_backlog(photos_wait=False) == pytest.approx(0.01)
    used[0] += 9
    assert pace.rest_in_backlog(photos_wait=True) == pacing._LONGEST_IN_BACKLOG
