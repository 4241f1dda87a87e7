"""How outputs are doing: what `/status`, the page, the metrics and the commands show."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from dogid.clock import iso_utc
from dogid.ledger.queries import read_newest_seq
from dogid.outputs.store import StoredState, StoreReader, open_for_reading
from dogid.settings import Settings

State = dict[str, Any]
"""One output's, ready for JSON."""


def read_states(settings: Settings, ledger: sqlite3.Connection, *, running: bool) -> list[State]:
    """Return how outputs are doing: those of the daemon where it runs, else those of the settings. Raise UsageError."""
    if not (running or settings.outputs):
        return []
    from dogid.outputs.configuration import read_configuration

    store = open_for_reading(settings.state.absolute())
    if running:
        outputs = [] if store is None else store.list_configured()
    else:
        outputs = [(entry.name, entry.type, entry.enabled) for entry in read_configuration(settings).outputs]
    try:
        return describe_outputs(outputs, store, ledger)
    finally:
        if store is not None:
            store.close()


def describe_outputs(
    outputs: Sequence[tuple[str, str, bool]], store: StoreReader | None, ledger: sqlite3.Connection
) -> list[State]:
    """Return how each output is doing.

    outputs: name, type and whether it is enabled of each. store: None where none has run yet.
    """
    newest = read_newest_seq(ledger)
    return [_describe(*output, store=store, newest=newest) for output in outputs]


def _describe(name: str, kind: str, enabled: bool, *, store: StoreReader | None, newest: int) -> State:  # noqa: FBT001
    """Return the state of one output; changes that were superseded since count as waiting, too."""
    state, waiting = StoredState(), 0
    if store is not None:
        state = store.read_state(name)
        cursor = store.read_cursor(name)
        waiting = store.count_events(name) + (0 if cursor is None else max(0, newest - cursor))
    error = None
    if state.error is not None and state.error_since is not None:
        error = {"message": state.error, "since": iso_utc(state.error_since)}
    return {
        "name": name,
        "type": kind,
        "enabled": enabled,
        "ok": enabled and error is None,
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
