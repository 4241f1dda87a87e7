"""Which results become events, and for whom."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.outputs.support import NOON, OutputRig, Recorder
from tests.support.clocks import SetClock

PHONE = {"phone": {"type": "recorder"}}
Photo = tuple[str, str, float]


@pytest.fixture
def clock() -> SetClock:
    return SetClock([NOON, 5_000])


@pytest.fixture
def rig(tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutputRig]:
    monkeypatch.setenv("TZ", "UTC")
    made = OutputRig(tmp_path, clock)
    yield made
    made.close()


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
        ({"min_score": 0.85}, ["gate/a", "yard/c"]),
        ({"cooldown": 100}, ["gate/a", "yard/b", "yard/c"]),
        ({"cooldown": 2}, ["gate/a", "yard/b", "yard/c", "gate/d"]),
        ({"first_of_day": True, "labels": ["cat"]}, ["gate/a"]),
        ({"quiet": "22:00-06:00"}, ["gate/a", "yard/b", "yard/c", "gate/d"]),
        ({"quiet": "22:00-22:30"}, []),
        ({"quiet": "22:13-22:14"}, []),
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
