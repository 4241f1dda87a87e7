"""What rules would have sent: the same decisions, on results that are in the ledger, with a state of their own."""

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dogid.ledger.first_results import find_seq_before, list_labels_up_to
from dogid.ledger.new_results import NewResult, list_new_results_since
from dogid.outputs.rule_decisions import Event, RuleDecisions
from dogid.outputs.rule_state import RuleState
from dogid.outputs.rules import Rule
from dogid.outputs.store_schema import SCHEMA

_BATCH = 200  # changes that are read at once
_WARM_UP_MS = 86_400_000
"""Before the moment in question, at least: what was sent then decides what would have been sent since."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules would have sent."""

    events: Sequence[Event]
    suppressed: dict[str, dict[str, int]]
    """By rule and reason, how many results and bursts they would have made no event of."""


def try_rules(
    rules: Sequence[Rule], ledger: sqlite3.Connection, since_ms: int, now_ms: int, model_labels: Collection[str]
) -> Trial:
    """Apply rules to the results since a moment, all in milliseconds since 1970; nothing is sent or kept."""
    warm_up = max([_WARM_UP_MS, *(rule.cooldown_ms for rule in rules)])
    first = find_seq_before(ledger, since_ms - warm_up)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(SCHEMA)
        state = RuleState(db)
        state.add_labels(list_labels_up_to(ledger, first))
        decisions = RuleDecisions(rules, state)
        before: dict[str, dict[str, int]] | None = None
        events = list[Event]()
        for result in _iterate_new_results(ledger, first):
            if before is None and result.answered_at >= since_ms:
                before = state.count_suppressed()
            events += decisions.consider(result, model_labels)
        events += decisions.close_bursts_by_clock(now_ms)
        return Trial(
            [event for event in events if event.frame.at >= since_ms],
            _subtract(state.count_suppressed(), state.count_suppressed() if before is None else before),
        )


def _iterate_new_results(ledger: sqlite3.Connection, seq: int) -> Iterator[NewResult]:
    while (some := list_new_results_since(ledger, seq, _BATCH)).last_seq is not None:
        yield from some.found
        seq = some.last_seq


def _subtract(counts: dict[str, dict[str, int]], before: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    left = {
        rule: {reason: count - before.get(rule, {}).get(reason, 0) for reason, count in reasons.items()}
        for rule, reasons in counts.items()
    }
    return {rule: {reason: count for reason, count in reasons.items() if count} for rule, reasons in left.items()}
