"""Whenever the daemon stops or dies, rules go on as if it had not."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.outputs import rule_engine
from dogid.outputs.rule_engine import RuleEngine
from dogid.outputs.rules import Rule, read_rule
from dogid.outputs.store import OutputStore
from tests.outputs.support import LABELS, NOON, Answer, insert_results
from tests.support.clocks import SetClock
from tests.support.memory_file_system import memory_folder

RULES = st.fixed_dictionaries(
    {"to": st.just(("phone",))},
    optional={
        "labels": st.sampled_from([("new",), ("cat", "unsure"), ("dog", "new")]),
        "first_of_day": st.booleans(),
        "cooldown": st.sampled_from([1, 30, 600]),
        "quiet": st.sampled_from(["22:00-22:20", "23:30-01:00"]),
        "burst": st.sampled_from([1, 5, 60]),
        "max_age": st.sampled_from([0, 10]),
        "folders": st.just(("g*",)),
        "min_score": st.sampled_from([0.5, 0.8]),
    },
)
PHOTOS = st.lists(
    st.tuples(
        st.sampled_from([100, 2000, 7000, 90_000, 3600_000]),  # after the one before
        st.sampled_from(["gate", "yard"]),
        st.sampled_from(LABELS),
        st.sampled_from([0.3, 0.6, 0.9]),
        st.sampled_from([0, 1000, 20_000]),  # of age
        st.sampled_from(["", "", "step", "restart", "crash", "fault"]),  # what the daemon does then
    ),
    min_size=1,
    max_size=12,
)


class _CrashError(Exception):
    pass


class _Daemon:
    """The rules of a daemon on a ledger."""

    def __init__(self, folder: Path, ledger: Path, rules: list[Rule], clock: SetClock) -> None:
        folder.mkdir()
        self.folder, self.ledger, self.rules, self.clock = folder, ledger, rules, clock
        self.start()

    def start(self) -> None:
        self.store = OutputStore(self.folder)
        self.db = open_for_reading(self.ledger)
        self.engine = RuleEngine(self.rules, ["phone"], self.store, lambda: self.db, lambda: LABELS, self.clock)
        self.engine.start()

    def stop(self) -> None:
        self.store.close()
        self.db.close()

    def catch_up(self) -> None:
        while self.engine.step().has_more:
            pass

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Die just before what was decided is committed."""
        self.fail(monkeypatch)
        self.stop()
        self.start()

    def fail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have a fault, as of a full disk, just before what was decided is committed."""
        with monkeypatch.context() as patch:
            patch.setattr(self.store, "set_cursor", _crash)
            with pytest.raises(_CrashError):
                self.engine.step()

    def events(self) -> list[tuple[object, ...]]:
        query = "SELECT substr(id, 9), seq, rule, count, result_id, at FROM outbox ORDER BY number"
        with closing(sqlite3.connect(self.folder / "outputs.db")) as db:
            return [tuple(row) for row in db.execute(query)]


def _crash(_: int) -> None:
    raise _CrashError


@settings(max_examples=40, deadline=None)
@given(tables=st.lists(RULES, min_size=1, max_size=3), photos=PHOTOS)
def test_events_are_the_same_whenever_the_daemon_restarts(
    tables: list[dict[str, object]], photos: list[tuple[int, str, str, float, int, str]]
) -> None:
    rules = [read_rule(table, f"rule-{number}") for number, table in enumerate(tables)]
    clock = SetClock([NOON, 0])
    monkeypatch = pytest.MonkeyPatch()
    with memory_folder() as folder_of_run, monkeypatch.context() as patch:
        state = folder_of_run / "state"
        state.mkdir()
        ledger = Ledger(state, lambda _: None, clock)
        ledger.connection.db.execute("PRAGMA synchronous = OFF")
        ledger.register_model("m.tflite", "00", LABELS)
        interrupted = _Daemon(folder_of_run / "interrupted", state, rules, clock)
        steady = _Daemon(folder_of_run / "steady", state, rules, clock)
        for pause, folder, label, score, age, what in photos:
            clock.advance(pause)
            now = clock.wall_ms()
            insert_results(ledger, [Answer(folder, label, score, now - age, now)])
            if what == "crash":
                interrupted.crash(patch)
            elif what == "fault":
                interrupted.fail(patch)
            elif what == "restart":
                interrupted.stop()
                interrupted.start()
            elif what == "step":
                interrupted.catch_up()
        clock.advance(3600_000)
        patch.setattr(rule_engine, "_BATCH", 3)
        for daemon in (interrupted, steady):
            daemon.catch_up()
            daemon.stop()
        ledger.close()
        assert interrupted.events() == steady.events()


@pytest.mark.parametrize("mishap", [_Daemon.crash, _Daemon.fail])
def test_new_label_is_new_until_that_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mishap: Callable[[_Daemon, pytest.MonkeyPatch], None]
) -> None:
    rule = replace(read_rule({"to": ("phone",)}, "r"), labels=("new",))
    clock = SetClock([NOON, 0])
    ledger = Ledger(tmp_path, lambda _: None, clock)
    ledger.register_model("m.tflite", "00", LABELS)
    daemon = _Daemon(tmp_path / "outputs", tmp_path, [rule], clock)
    insert_results(ledger, [Answer("gate", "cat", 0.9, NOON, NOON)] * 2)
    mishap(daemon, monkeypatch)
    daemon.catch_up()
    assert [seq for _, seq, *_ in daemon.events()] == [1]
    daemon.stop()
    ledger.close()
