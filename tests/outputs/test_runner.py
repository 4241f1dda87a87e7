"""Each output gets all that is for it, in order, over faults and restarts of either side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.outputs.output import OutputError, RefusedError
from tests.outputs.support import OutputRig, Recorder
from tests.support.waiting import eventually

TABLE = {"all": {"type": "recorder"}}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[OutputRig]:
    made = OutputRig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    made.register(monkeypatch)
    return made


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
