"""How outputs are doing: what `/status`, the page, the metrics and the commands show."""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dogid.clock import Clock, iso_utc
from dogid.errors import UsageError
from dogid.ledger.queries import find_result, read_newest_seq
from dogid.outputs.store_reader import StoredState, StoreReader, open_for_reading
from dogid.settings import Settings

State = dict[str, Any]
"""One output's, ready for JSON."""


@dataclass(frozen=True, slots=True)
class UnwrittenFault:
    """A fault that the store could not take, as where the disk is full. Times in milliseconds since 1970."""

    message: str
    since: int
    next_try: int


def read_states(settings: Settings, ledger: sqlite3.Connection, *, running: bool) -> list[State]:
    """Return how outputs are doing: those of the daemon where it runs, else those of the settings. Raise UsageError."""
    if not (running or settings.outputs):
        return []
    from dogid.outputs.configuration import read_configuration

    try:
        store = open_for_reading(settings.state.absolute())
    except UsageError as error:  # as where the disk is full
        now = Clock().wall_ms()
        configured = [(entry.name, entry.type, entry.enabled) for entry in read_configuration(settings).outputs]
        return describe_without_store(configured, UnwrittenFault(str(error), now, now))
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


def describe_without_store(outputs: Sequence[tuple[str, str, bool]], fault: UnwrittenFault) -> list[State]:
    """Return how each output is doing where what they remember cannot be opened: none that is enabled runs."""
    states = [_describe(*output, store=None, newest=0) for output in outputs]
    for state in states:
        if state["enabled"]:
            note_fault(state, fault)
    return states


def note_fault(state: State, fault: UnwrittenFault) -> None:
    """Have a state show a fault that the store could not take."""
    state["ok"] = False
    state["error"] = {"message": fault.message, "since": iso_utc(fault.since)}
    state["next_try_at"] = iso_utc(fault.next_try)


def _describe(name: str, kind: str, enabled: bool, *, store: StoreReader | None, newest: int) -> State:  # noqa: FBT001
    """Return the state of one output; changes that were forgotten since count as waiting, too."""
    state, waiting, parked, refusal = StoredState(), 0, 0, None
    if store is not None:
        state = store.read_state(name)
        cursor = store.read_cursor(name)
        parked = store.count_parked(name)
        refusal = next(iter(store.list_parked(name, 1)), None)
        waiting = store.count_events(name) + (0 if cursor is None else max(0, newest - cursor))
    error = None
    if state.error is not None and state.error_since is not None:
        error = {"message": state.error, "since": iso_utc(state.error_since)}
    return {
        "name": name,
        "type": kind,
        "enabled": enabled,
        "ok": enabled and error is None and not parked,
        "backlog": waiting,
        "sent": state.sent,
        "failed": state.failed,
        "parked": parked,
        "missed": state.missed,
        "refusal": None if refusal is None else {"reason": refusal.reason, "at": iso_utc(refusal.at_ms)},
        "error": error,
        "last_sent_at": None if state.sent_at is None else iso_utc(state.sent_at),
        "next_try_at": None if state.next_try is None else iso_utc(state.next_try),
    }


def list_refused(settings: Settings, ledger: sqlite3.Connection, output: str) -> list[dict[str, Any]]:
    """Return what an output refused and is parked, the last first, ready for JSON. Raise UsageError."""
    store = open_for_reading(settings.state.absolute())
    if store is None:
        return []
    with contextlib.closing(store):
        refused = store.list_parked(output)
    documents = []
    for each in refused:
        result = None if each.result_id is None else find_result(ledger, each.result_id)
        documents.append(
            {
                "id": each.id,
                "rule": each.rule,
                "result": each.result_id,
                "file": None if result is None else result["file"],
                "reason": each.reason,
                "at": iso_utc(each.at_ms),
            }
        )
    return documents


def summarise(states: Sequence[State]) -> str:
    """Return how many outputs are in order, and how many are off."""
    enabled = [state for state in states if state["enabled"]]
    text = f"{sum(state['ok'] for state in enabled)} of {len(enabled)} in order"
    return text if len(enabled) == len(states) else f"{text}, {len(states) - len(enabled)} off"


def explain_failures(state: State) -> list[str]:
    """Return a line each for what is wrong with an output, with the way out."""
    if not state["enabled"]:
        return []
    error, name, lines = state["error"], state["name"], []
    if error is not None:
        verb = "waits" if state["backlog"] == 1 else "wait"
        waiting = f"{state['backlog']} {verb}" if state["backlog"] else "nothing waits"
        lines.append(
            f"output {name} ({state['type']}) has failed since {error['since']}: {error['message']}; {waiting};"
            f" it is tried again by itself; after a change: dogid outputs test {name}"
        )
    if state["refusal"] is not None:
        lines.append(f"output {name} ({state['type']}): {describe_refusal(state)}; {explain_retry(name)}")
    return lines


def describe_refusal(state: State) -> str:
    """Return how much an output refused, and why the last."""
    return f"{state['parked']} refused: {state['refusal']['reason']}"


def explain_missed(state: State) -> str:
    """Return how many events of an output were never sent, and why."""
    return (
        f"events that output {state['name']} missed: {state['missed']}; when they were due, the ledger no longer had"
        " their results; a larger keep_versions keeps more of files that are overwritten"
    )


def explain_retry(name: str) -> str:
    """Return what a person can do about what an output refused."""
    return f"after a change: dogid outputs retry {name}; to forget it: dogid outputs discard {name}"
