"""Which results become events, and for whom."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dogid.clock import parse_moment
from dogid.errors import UsageError
from dogid.ledger.database import open_for_reading
from dogid.ledger.queries import MAX_ID
from dogid.ledger.replays import NewAnswer, list_older_answers, replace_answers
from dogid.outputs.configuration import read_configuration
from dogid.outputs.rule_trial import try_rules
from dogid.settings import Settings
from tests.outputs.support import LABELS, NOON, OutputRig, Recorder
from tests.support.clocks import SetClock
from tests.support.waiting import eventually

PHONE = {"phone": {"type": "recorder"}}
Photo = tuple[str, str, float]


@pytest.fixture
def clock() -> SetClock:
    return SetClock([NOON, 5_000])


@pytest.fixture
def rig(tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutputRig]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    made = OutputRig(tmp_path, clock)
    yield made
    made.close()
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder(wants_all=False)
    made.register(monkeypatch)
    return made


def rule(**keys: Any) -> list[dict[str, Any]]:
    return [{"name": "r", "to": ["phone"], **keys}]


def send(rig: OutputRig, phone: Recorder, rules: Sequence[dict[str, Any]], photos: Sequence[Photo]) -> list[str]:
    """Return the files of which an event arrives where photos, (file, label, score), come with a second between."""
    rig.start(PHONE, rules)
    for name, label, score in photos:
        assert isinstance(rig.clock, SetClock)
        rig.clock.advance(1000)
        rig.add(name, label, score, modified_ms=rig.clock.wall_ms())
    rig.settle()
    return [delivery.result["file"] for delivery in phone.taken]


@pytest.mark.parametrize(
    ("keys", "files"),
    [
        ({}, ["gate/a", "yard/b", "yard/c", "gate/d"]),
        ({"labels": ["pug"]}, ["yard/b"]),
        ({"labels": ["new"]}, ["yard/b", "yard/c"]),
        ({"labels": ["unsure"]}, ["gate/e"]),
        ({"labels": ["unsure"], "min_score": 0.9}, ["gate/e"]),
        ({"labels": ["label:cat"], "min_score": 0.8}, ["gate/a"]),
        ({"folders": ["ya*"]}, ["yard/b", "yard/c"]),
        ({"labels": ["new", "unsure"]}, ["yard/b", "yard/c", "gate/e"]),
        ({"labels": ["new"], "folders": ["gate"]}, []),
        ({"labels": ["new"], "min_score": 0.9}, ["yard/c"]),
        ({"min_score": 0.85}, ["gate/a", "yard/c"]),
        ({"cooldown": 100}, ["gate/a", "yard/b", "yard/c"]),
        ({"cooldown": 2}, ["gate/a", "yard/b", "yard/c", "gate/d"]),
        ({"first_of_day": True, "labels": ["cat"]}, ["gate/a"]),
        ({"quiet": "22:00-06:00"}, ["gate/a", "yard/b", "yard/c", "gate/d"]),
        ({"quiet": "23:00-23:30"}, []),
        ({"quiet": "23:13-23:14"}, []),
    ],
)
def test_rule_lets_pass_what_it_says(rig: OutputRig, phone: Recorder, keys: dict[str, Any], files: list[str]) -> None:
    rig.thresholds = {"cat": 0.6}
    rig.add("known", "cat")
    rig.labels = ("cat", "dog", "pug", "owl")
    photos = [("gate/a", "cat", 0.9), ("yard/b", "pug", 0.8), ("yard/c", "dog", 0.95), ("gate/d", "cat", 0.7)]
    photos.append(("gate/e", "cat", 0.5))
    if keys.get("quiet") == "22:00-06:00":
        rig.clock.advance(12 * 3600_000)  # type: ignore[attr-defined]
    assert send(rig, phone, rule(**keys), photos) == files


@pytest.mark.parametrize("pattern", ["gate", "gate/", "gate/*", "/gate/**", "./gate", "**/gate", "g?te"])
def test_folder_of_a_rule_has_those_below_it(rig: OutputRig, phone: Recorder, pattern: str) -> None:
    photos = [("gate/a", "cat", 0.9), ("gate/north/b", "cat", 0.9), ("gates/c", "cat", 0.9), ("d", "cat", 0.9)]
    assert send(rig, phone, rule(folders=[pattern]), photos) == ["gate/a", "gate/north/b"]


def test_slash_is_the_inbox_itself(rig: OutputRig, phone: Recorder) -> None:
    assert send(rig, phone, rule(folders=["/"]), [("gate/a", "cat", 0.9), ("b", "cat", 0.9)]) == ["b"]


@pytest.mark.parametrize("keys", [{"quiet": "23:13-23:14"}, {"folders": ["gate"]}, {"max_age": 60}, {"burst": 0.5}, {}])
def test_new_label_waits_for_an_event(rig: OutputRig, phone: Recorder, clock: SetClock, keys: dict[str, Any]) -> None:
    rig.thresholds = {"pug": 0.9}
    rig.add("known")
    rules = rule(labels=["new"], **keys)
    rig.start(PHONE, rules)
    rig.add("yard/a", "pug", 0.95 if keys else 0.89, modified_ms=NOON - 3600_000)
    rig.settle()
    rig.stop()
    if "burst" in keys:
        phone.taken.clear()
    clock.advance(100_000)
    photos = [(f"gate/{name}", "pug", 0.95) for name in "bc"]
    files = send(rig, phone, rules, photos)
    if "burst" in keys:
        assert files == ["yard/a"]
    else:
        assert files == ["gate/b"]


def test_failed_photos_are_sent_where_a_rule_asks(rig: OutputRig, phone: Recorder) -> None:
    rig.start(PHONE, [*rule(labels=["failed"], cooldown=60), {"name": "others", "to": ["phone"], "min_score": 0}])
    failed = rig.add_failed("a.txt")
    rig.add_failed("b.txt")
    rig.add("c.jpg")
    rig.settle()
    assert [(each.rule, each.result["file"]) for each in phone.taken] == [("r", "a.txt"), ("others", "c.jpg")]
    assert phone.taken[0].result["id"] == failed
    assert phone.taken[0].result["status"] == "failed"


def test_burst_is_one_event_with_the_best_frame(rig: OutputRig, phone: Recorder, clock: SetClock) -> None:
    photos = [("gate/a", "cat", 0.7), ("gate/b", "dog", 0.9), ("yard/c", "cat", 0.8), ("gate/d", "cat", 0.8)]
    send(rig, phone, rule(burst=5), photos)
    assert not phone.taken
    clock.advance(6000)
    rig.signal.announce()

    eventually(lambda: len(phone.taken) == 2, "both bursts are over")
    assert {(delivery.result["file"], delivery.count) for delivery in phone.taken} == {("gate/b", 3), ("yard/c", 1)}


def test_restart_sends_nothing_twice(rig: OutputRig, phone: Recorder, clock: SetClock) -> None:
    rules = rule(cooldown=600, first_of_day=True)
    assert send(rig, phone, rules, [("gate/a", "cat", 0.9)]) == ["gate/a"]
    rig.stop()
    assert send(rig, phone, rules, [("gate/b", "cat", 0.9)]) == ["gate/a"]
    clock.advance(3600_000)  # past midnight in Berlin, not in London
    assert send(rig, phone, rules, [("gate/c", "cat", 0.9)]) == ["gate/a", "gate/c"]


def test_clock_that_is_set_back_does_not_silence_a_rule(rig: OutputRig, phone: Recorder, clock: SetClock) -> None:
    rules = rule(cooldown=600)
    assert send(rig, phone, rules, [("gate/a", "cat", 0.9)]) == ["gate/a"]
    clock.set_wall(NOON - 365 * 86_400_000)
    assert send(rig, phone, rules, [("gate/b", "cat", 0.9)]) == ["gate/a", "gate/b"]
    clock.set_wall(NOON)
    assert send(rig, phone, rule(burst=5), [("gate/c", "cat", 0.9)]) == ["gate/a", "gate/b"]
    clock.set_wall(NOON - 86_400_000)
    rig.signal.announce()
    eventually(lambda: len(phone.taken) == 3, "the burst is over")


def test_old_photos_make_no_event_where_a_rule_says_so(rig: OutputRig, phone: Recorder) -> None:
    rig.start(PHONE, rule(max_age=3600))
    rig.add("old", modified_ms=NOON - 3601_000)
    rig.add("young", modified_ms=NOON - 3599_000)
    rig.settle()
    assert [delivery.result["file"] for delivery in phone.taken] == ["young"]


@pytest.mark.parametrize("utc", ["2026-03-29T00:30", "2026-03-29T01:30", "2026-10-25T00:30", "2026-10-25T01:30"])
def test_quiet_hours_go_by_local_time_on_days_of_a_change(
    rig: OutputRig, phone: Recorder, clock: SetClock, utc: str
) -> None:
    clock.set_wall(parse_moment(f"{utc}Z"))  # 1:30 and 3:30 in March, 2:30 twice in October
    is_quiet = utc.startswith("2026-10")
    files = send(rig, phone, rule(quiet="02:00-03:00"), [("a", "cat", 0.9)])
    assert files == ([] if is_quiet else ["a"])


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"to": ["phone", "fone"]}], "rule.1.to: there is no output named 'fone'"),
        ([{"to": ["phone"], "colldown": 3}], "rule.1.colldown: no such key; did you mean cooldown"),
        ([{"to": ["phone"], "min_score": 2}], "rule.1.min_score: "),
        ([{"to": ["phone"], "quiet": "25:00-26:00"}], "rule.1.quiet: "),
        ([{"to": ["phone"]}, {"to": ["phone"], "name": "rule-1"}], "rule.2.name: there are two"),
        ([{}], "rule.1.to: is missing"),
    ],
)
def test_wrong_rule_is_refused_with_its_key(
    rig: OutputRig, phone: Recorder, rules: list[dict[str, Any]], message: str
) -> None:
    rig.start(PHONE, rule())
    with pytest.raises(UsageError, match=re.escape(message)):
        rig.start(PHONE, rules)
    rig.add("a")  # the former ones stay
    rig.settle()
    assert len(phone.taken) == 1


def test_trial_shows_what_rules_would_have_sent(rig: OutputRig, phone: Recorder, clock: SetClock) -> None:
    rules = rule(labels=["new", "dog"], cooldown=1.5)
    rig.add("known")
    clock.advance(86_400_000 * 3)
    photos = [("a", "dog", 0.9), ("b", "dog", 0.9), ("c", "pug", 0.9), ("d", "cat", 0.9), ("e", "dog", 0.9)]
    assert send(rig, phone, rules, photos) == ["a", "c", "e"]
    read = read_configuration(Settings(outputs=PHONE, rule=tuple(rules))).rules
    now = clock.wall_ms()
    with closing(open_for_reading(rig.state)) as db:
        trial = try_rules(read, db, now - 86_400_000, now, LABELS)
        assert [event.frame.result_id for event in trial.events] == [delivery.result["id"] for delivery in phone.taken]
        assert trial.suppressed == {"r": {"cooldown": 1}}
        assert not try_rules(read, db, now + 1, now, LABELS).events


def test_replayed_answers_make_no_events(rig: OutputRig, phone: Recorder) -> None:
    files = send(rig, phone, rule(), [("a", "cat", 0.9), ("b", "cat", 0.9)])
    db, model = rig.ledger.connection.db, rig.ledger.register_model("n.tflite", "11", LABELS)
    older = list_older_answers(db, "11", before=MAX_ID, limit=10, network=None)
    with db:
        db.execute("BEGIN IMMEDIATE")
        assert replace_answers(db, [NewAnswer(each, {"pug": 0.9}, None) for each in older], model, rig.clock) == 2
    rig.signal.announce()
    assert send(rig, phone, rule(), [("c", "pug", 0.9)]) == [*files, "c"]


def test_event_of_a_burst_is_as_old_as_its_end(rig: OutputRig, phone: Recorder, clock: SetClock) -> None:
    send(rig, phone, rule(burst=5), [("gate/a", "cat", 0.9), ("gate/b", "cat", 0.8)])
    rig.stop()
    last = clock.wall_ms()
    clock.advance(3600_000)
    rig.start(PHONE, rule(burst=5))
    eventually(lambda: phone.taken, "the burst is over")
    assert (phone.taken[0].at_ms, phone.taken[0].decided_ms) == (last - 1000, last + 5000)
