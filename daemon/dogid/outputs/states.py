"""How outputs are doing: what `/status`, the page, the metrics and the commands show."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from dogid.clock import iso_utc
from dogid.ledger.queries import read_newest_seq
from dogid.outputs.configuration import OutputEntry
from dogid.outputs.store import StoredState, StoreReader

State = dict[str, Any]
"""One output's, ready for JSON."""


def describe_outputs(
    entries: Sequence[OutputEntry], store: StoreReader | None, ledger: sqlite3.Connection
) -> list[State]:
    """Return how each output is doing. store: None where none has run yet."""
    newest = read_newest_seq(ledger)
    return [_describe(entry, store, newest) for entry in entries]


def _describe(entry: OutputEntry, store: StoreReader | None, newest: int) -> State:
    """Return the state of one output; changes that were superseded since count as waiting, too."""
    state, waiting = StoredState(), 0
    if store is not None:
        state = store.read_state(entry.name)
        cursor = store.read_cursor(entry.name)
        waiting = store.count_events(entry.name) + (0 if cursor is None else max(0, newest - cursor))
    error = None
    if state.error is not None and state.error_since is not None:
        error = {"message": state.error, "since": iso_utc(state.error_since)}
    return {
        "name": entry.name,
        "type": entry.type,
        "enabled": entry.enabled,
        "ok": entry.enabled and error is None,
        "backlog": waiting,
        "sent": state.sent,
        "failed": state.failed,
        "parked": state.parked,
        "error": error,
        "last_sent_at": None if state.sent_at is None else iso_utc(state.sent_at),
        "next_try_at": None if state.next_try is None else iso_utc(state.next_try),
    }


def explain_failure(state: State) -> str:
    """Return in one line why an output fails, since when, and the way out."""
    error, name = state["error"], state["name"]
    waiting = f"{state['backlog']} wait" if state["backlog"] else "nothing waits"
    return (
        f"output {name} ({state['type']}) has failed since {error['since']}: {error['message']}; {waiting}, nothing is"
        f" lost; after a change: dogid outputs test {name}"
    )
