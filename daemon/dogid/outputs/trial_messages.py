"""Test messages: what they hold, and how a command has the running daemon send one.

The daemon alone may have an output's connection. The command writes a request into the store, sends SIGHUP, and waits
for the outcome there.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock
from dogid.ledger.queries import ResultFilter, list_results
from dogid.outputs.output import Delivery
from dogid.outputs.store import OutputStore
from dogid.result_document import Result, result_document

_VALID_MS = 60_000  # after which no command waits for it; longer would have a reload much later send a test
RULE = "test"
"""What a test message has for the name of a rule."""


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What became of a test message."""

    ok: bool
    detail: str


def make_test_delivery(
    ledger: sqlite3.Connection | None, labels: Sequence[str], clock: Clock, *, wants_events: bool
) -> Delivery:
    """Return a test message about the newest result; where there is none, about one that is made up.

    labels: of the model. wants_events: whether the output takes events of rules, of which it is one then.
    """
    newest = [] if ledger is None else list_results(ledger, ResultFilter(limit=1, status="classified"))
    result = newest[0] if newest else _make_up_result(labels, clock)
    kind, rule = ("event", RULE) if wants_events else ("result", None)
    return Delivery(f"test-{secrets.token_hex(4)}", 0, kind, result, clock.wall_ms(), rule, is_test=True)


def _make_up_result(labels: Sequence[str], clock: Clock) -> Result:
    now = clock.wall_ms()
    return result_document(
        number=None, file="test.jpg", status="classified", scores={labels[0] if labels else "test": 1.0},
        width=640, height=480, modified_ms=now, classified_ms=now, model="test",
    )  # fmt: skip


def refuse_test(output: str) -> TestOutcome:
    """Return the outcome where the running daemon has no such output."""
    reason = f"the running daemon has no output {output} that is enabled; reload it, if the settings have one now"
    return TestOutcome(ok=False, detail=reason)


def refuse_all(state: Path, clock: Clock) -> bool:
    """Refuse the test messages that commands ask for, of a daemon without outputs; return whether one asks."""
    store = OutputStore(state)
    try:
        requests = take_requests(store, clock)
        for request, output in requests:
            note_outcome(store, request, refuse_test(output))
    finally:
        store.close()
    return bool(requests)


def ask_for_test(store: OutputStore, output: str, clock: Clock) -> str:
    """Ask for a test message to an output; return the request's id."""
    request = secrets.token_hex(8)
    with store.transaction() as db:
        db.execute("INSERT INTO test_request (id, output, at) VALUES (?, ?, ?)", (request, output, clock.wall_ms()))
    return request


def take_requests(store: OutputStore, clock: Clock) -> list[tuple[str, str]]:
    """Return (id, output) of the requests that nobody has taken yet, and forget those that no command waits for."""
    now = clock.wall_ms()
    with store.transaction() as db:
        db.execute("DELETE FROM test_request WHERE abs(? - at) > ?", (now, _VALID_MS))
        found = db.execute("SELECT id, output FROM test_request WHERE taken = 0 ORDER BY at").fetchall()
        db.execute("UPDATE test_request SET taken = 1")
    return [(request, output) for request, output in found]


def note_outcome(store: OutputStore, request: str, outcome: TestOutcome) -> None:
    """Let the command that waits know what became of its test message."""
    with store.transaction() as db:
        db.execute("UPDATE test_request SET ok = ?, detail = ? WHERE id = ?", (outcome.ok, outcome.detail, request))


def read_outcome(store: OutputStore, request: str) -> TestOutcome | None:
    """Return what became of a test message; None as long as that is not known."""
    with store.transaction() as db:
        row = db.execute("SELECT ok, detail FROM test_request WHERE id = ?", (request,)).fetchone()
    return None if row is None or row[0] is None else TestOutcome(bool(row[0]), row[1])


def withdraw_request(store: OutputStore, request: str) -> None:
    """Remove a request, and its outcome."""
    with store.transaction() as db:
        db.execute("DELETE FROM test_request WHERE id = ?", (request,))
