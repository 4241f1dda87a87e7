"""Test messages: what they hold, and how a command has the running daemon send one, or repeat what was refused.

The daemon alone may have an output's connection. The command writes a request into the store, sends SIGHUP, and waits
for the outcome there. Where no daemon runs, the command itself does what is asked.
"""

import os
import secrets
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock
from dogid.conditions import reload_by_hand
from dogid.ledger.queries import ResultFilter, list_results
from dogid.outputs.fault_log import shorten_error
from dogid.outputs.output import Delivery, Output
from dogid.outputs.store import OutputStore
from dogid.result_document import Result, result_document

_VALID_MS = 60_000  # after which no command waits for it; longer would have a reload much later send a test
_TAKEN_MS = 3_700_000  # the same for those that wait for an output that is sending
RULE = "test"
"""What a test message has for the name of a rule."""
TEST, RETRY, DISCARD = "test", "retry", "discard"
"""What commands ask for: a test message; to send again, or to forget, what was refused."""


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What became of a test message, or of what else a command asked for."""

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


def send_test(output: Output, delivery: Delivery) -> TestOutcome:
    """Send a test message in the calling thread, which is the output's own."""
    acknowledged = 0

    def note(count: int) -> None:
        nonlocal acknowledged
        acknowledged = count

    try:
        output.tend()
        output.send([delivery], note)
        found = "the other side has it" if getattr(output, "takes_tests", True) else _explain_left_out(output)
    except Exception as error:
        return TestOutcome(ok=False, detail=shorten_error(error))
    if not acknowledged:
        return TestOutcome(ok=False, detail="it was sent, and the other side has not acknowledged it")
    return TestOutcome(ok=True, detail=found)


def _explain_left_out(output: Output) -> str:
    return f"{output.check()}; test messages are not written there"


def _make_up_result(labels: Sequence[str], clock: Clock) -> Result:
    now = clock.wall_ms()
    return result_document(
        number=None, file="test.jpg", status="classified", scores={labels[0] if labels else "test": 1.0},
        width=640, height=480, modified_ms=now, classified_ms=now, model="test",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for."""

    id: str
    action: str
    """TEST, RETRY or DISCARD."""
    output: str


def refuse_request(output: str, state: Path, configured: Collection[str] = ()) -> TestOutcome:
    """Return the outcome where this daemon has no such output that is enabled.

    state is its folder, configured names all outputs that it has.
    """
    reload = reload_by_hand(state, os.getpid())
    if output in configured:
        reason = f"it has `enabled = false`: take that out of [outputs.{output}], and reload the daemon: {reload}"
    else:
        known = ", ".join(configured) or "none"
        reason = f"the running daemon has no such output (it has: {known}); if the settings have one now: {reload}"
    return TestOutcome(ok=False, detail=reason)


def change_parked(store: OutputStore, action: str, output: str) -> TestOutcome:
    """Put what an output refused back to what waits for it, or with DISCARD forget it."""
    if action == DISCARD:
        done, count = "forgotten", store.discard_parked(output)
    else:
        done, count = "sent again", store.retry_parked(output)
    what = "refused delivery is" if count == 1 else "refused deliveries are"
    return TestOutcome(ok=True, detail=f"{count} {what} {done}" if count else "it has refused nothing")


def refuse_all(state: Path, clock: Clock) -> bool:
    """Refuse what commands ask for, of a daemon without outputs; return whether one asks."""
    store = OutputStore(state)
    try:
        requests = take_requests(store, clock)
        for request in requests:
            note_outcome(store, request.id, refuse_request(request.output, state))
    finally:
        store.close()
    return bool(requests)


def ask_daemon_for(action: str, store: OutputStore, output: str, clock: Clock) -> str:
    """Ask for a test message to an output, or what else action says; return the request's id."""
    request = secrets.token_hex(8)
    with store.transaction() as db:
        db.execute(
            "INSERT INTO test_request (id, output, at, action) VALUES (?, ?, ?, ?)",
            (request, output, clock.wall_ms(), action),
        )
    return request


def take_requests(store: OutputStore, clock: Clock) -> list[Request]:
    """Return the requests that are not taken yet, and forget those that no command waits for."""
    now = clock.wall_ms()
    with store.transaction() as db:
        db.execute(
            "DELETE FROM test_request WHERE abs(? - at) > CASE taken WHEN 0 THEN ? ELSE ? END",
            (now, _VALID_MS, _TAKEN_MS),
        )
        found = db.execute("SELECT id, action, output FROM test_request WHERE taken = 0 ORDER BY at").fetchall()
        db.execute("UPDATE test_request SET taken = 1")
    return [Request(*row) for row in found]


def note_outcome(store: OutputStore, request: str, outcome: TestOutcome) -> None:
    """Let the command that waits know what became of its request."""
    with store.transaction() as db:
        db.execute("UPDATE test_request SET ok = ?, detail = ? WHERE id = ?", (outcome.ok, outcome.detail, request))


def read_outcome(store: OutputStore, request: str) -> TestOutcome | None:
    """Return what became of a request; None as long as that is not known."""
    with store.transaction() as db:
        row = db.execute("SELECT ok, detail FROM test_request WHERE id = ?", (request,)).fetchone()
    return None if row is None or row[0] is None else TestOutcome(bool(row[0]), row[1])


def is_taken(store: OutputStore, request: str) -> bool:
    """Whether the daemon has taken a request, and comes to it after what it is sending."""
    with store.transaction() as db:
        row = db.execute("SELECT taken FROM test_request WHERE id = ?", (request,)).fetchone()
    return row is not None and bool(row[0])


def withdraw_request(store: OutputStore, request: str) -> None:
    """Remove a request, and its outcome."""
    with store.transaction() as db:
        db.execute("DELETE FROM test_request WHERE id = ?", (request,))
