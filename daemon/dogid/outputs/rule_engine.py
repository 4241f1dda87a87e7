"""Follows the ledger and writes what passes the rules into the outboxes, with the rules' state, in one transaction."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.ledger.gallery_queries import list_given_labels
from dogid.ledger.new_results import NewResult, list_new_results_since
from dogid.ledger.queries import read_newest_seq
from dogid.outputs.rule_decisions import Event, RuleDecisions
from dogid.outputs.rule_state import RuleState
from dogid.outputs.rules import Rule
from dogid.outputs.store import OutputStore

_BATCH = 500
"""Changes that are read and decided at once. Raising it takes more memory, lowering it more transactions."""
_MOST_LABELS = 100_000
"""Labels of a ledger, as the rules begin."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step has done."""

    outputs: frozenset[str]
    """Which have new events."""
    has_more: bool
    """Whether there was more to read than one step takes."""
    next_close: float | None
    """In how many seconds a burst is over; None where there is none."""


class RuleEngine:
    """Applies the rules to what is new in the ledger."""

    def __init__(
        self,
        rules: Sequence[Rule],
        enabled: Collection[str],
        store: OutputStore,
        reader: Callable[[], sqlite3.Connection],
        list_labels: Callable[[], Sequence[str]],
        clock: Clock,
    ) -> None:
        """Set up. enabled: names of outputs that get events; the others are left out."""
        self._enabled = frozenset(enabled)
        self._store = store
        self._reader = reader
        self._list_labels = list_labels
        self._clock = clock
        self._state = RuleState(store.connection)
        self._decisions = RuleDecisions(rules, self._state)

    def start(self) -> None:
        """Have rules that are new begin with what comes from now on, and know the labels of the ledger."""
        if self._store.read_cursor() is not None:
            return
        db = self._reader()
        newest = read_newest_seq(db)
        labels = list_given_labels(db, _MOST_LABELS)
        with self._store.transaction():
            self._state.add_labels(labels)
            self._store.set_cursor(newest)

    def step(self) -> Step:
        """Decide about the next changes."""
        db = self._reader()
        cursor = self._store.read_cursor() or 0
        newest, now = read_newest_seq(db), self._clock.wall_ms()
        results = list_new_results_since(db, cursor, _BATCH if newest > cursor else 0)
        last, has_more = results.last_seq or 0, newest > cursor and results.is_full
        end = last if has_more else max(newest, last)
        outputs = set[str]()
        if end != cursor or self._decisions.has_ended_burst(now):
            try:
                with self._store.transaction() as store_db:
                    outputs = self._decide(store_db, results.found, None if has_more else now)
                    self._state.flush()
                    self._store.set_cursor(end)
            except BaseException:
                self._state.forget_cached()
                raise
        next_end = self._decisions.find_next_end()
        seconds = None if next_end is None else max(0.001, (next_end - now) / 1000)
        return Step(frozenset(outputs), has_more, seconds)

    def _decide(self, db: sqlite3.Connection, results: Sequence[NewResult], now: int | None) -> set[str]:
        """Write the events of results, and of bursts that are over now; return the outputs that get some."""
        labels = self._list_labels()
        outputs = set[str]()
        for result in results:
            for event in self._decisions.consider(result, labels):
                outputs |= self._write(db, event)
        if now is not None:
            for event in self._decisions.close_bursts_by_clock(now):
                outputs |= self._write(db, event)
        return outputs

    def _write(self, db: sqlite3.Connection, event: Event) -> set[str]:
        frame, rule = event.frame, event.rule
        outputs = self._enabled.intersection(rule.to)
        db.executemany(
            "INSERT INTO outbox (output, id, seq, rule, count, result_id, at, decided)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (output, f"{self._store.stream}-{frame.seq}-{rule.name}", frame.seq, rule.name, event.count,
                 frame.result_id, frame.at, event.decided)
                for output in sorted(outputs)
            ],
        )  # fmt: skip
        return set(outputs)
