"""`dogid outputs`: how each output is doing; `test`, `retry`, `discard NAME`: a test message, and what was refused."""

import argparse
import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.model_shelf import acting_as_owner_of
from dogid.commands.output import print_json, print_line, print_message, print_table
from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line

if TYPE_CHECKING:
    from dogid.outputs.trial_messages import TestOutcome

_ANSWER_SECONDS = 60.0  # for the daemon to take a request; less gives up on machines that are busy
_SENDING_SECONDS = 3600.0  # then, for what the output sends before it: programs may take minutes each
_NOTE_SECONDS = 5.0  # until it is said why that takes so long
_POLL_SECONDS = 0.1
_MOST_REFUSED = 5  # of an output, that are printed for people
_HEADINGS = ("output", "type", "state", "waiting", "sent", "refused", "last sent", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `test NAME`, `retry NAME`, `discard NAME`, and the flags of `reading_state`."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("test", "retry", "discard"),
        help="send a test message to an output; send again what it refused; or forget that",
    )
    parser.add_argument("output", nargs="?", metavar="NAME", help="the output, as in [outputs.NAME]")
    reading_state.add_arguments(parser, settings.DECODING_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """List the outputs, 1 where one fails or refused something; or do the action, 1 where that fails."""
    if args.action is None:
        return _list(args)
    if args.output is None:
        raise UsageError(f"name the output: dogid outputs {args.action} NAME")
    outcome = _do(args.action, args, args.output)
    if args.json:
        print_json({"output": args.output, "ok": outcome.ok, "detail": outcome.detail})
    elif outcome.ok:
        print_line(f"output {args.output}: {outcome.detail}")
    else:
        print_message(f"output {args.output}: {outcome.detail}")
    return 0 if outcome.ok else 1


def _list(args: argparse.Namespace) -> int:
    from dogid.daemon.folders import is_running
    from dogid.outputs.states import explain_missed, explain_retry, list_refused, read_states

    chosen, ledger = settings.load(args), reading_state.open_state(args)
    states = read_states(chosen, ledger, running=is_running(chosen.state.absolute()))
    refused = {state["name"]: list_refused(chosen, ledger, state["name"]) for state in states if state["parked"]}
    if args.json:
        print_json({"outputs": [{**state, "refused": refused.get(state["name"], [])} for state in states]})
    else:
        rows = [
            (
                state["name"],
                state["type"],
                _name_state(state),
                str(state["backlog"]),
                str(state["sent"]),
                str(state["parked"]),
                state["last_sent_at"] or "",
                f"since {state['error']['since']}: {state['error']['message']}" if state["error"] else "",
            )
            for state in states
        ]
        print_table(rows, _HEADINGS)
        for name, deliveries in refused.items():
            for each in deliveries[:_MOST_REFUSED]:
                what = one_line(each["file"] or each["id"])
                print_message(f"output {name} refused {what} at {each['at']}: {each['reason']}")
            if len(deliveries) > _MOST_REFUSED:
                print_message(f"output {name} refused {len(deliveries) - _MOST_REFUSED} others; --json lists them")
            print_message(explain_retry(name))
        for state in states:
            if state["missed"]:
                print_message(explain_missed(state))
        if not rows:
            print_message(
                "the settings have no output: add a table [outputs.NAME] with its type to the file of --config"
            )
    return 0 if all(state["ok"] or not state["enabled"] for state in states) else 1


def _name_state(state: dict[str, Any]) -> str:
    if not state["enabled"]:
        return "off"
    return "ok" if state["ok"] else "FAILING" if state["error"] else "REFUSED"


def _do(action: str, args: argparse.Namespace, name: str) -> "TestOutcome":
    from dogid.daemon.folders import is_running
    from dogid.outputs.configuration import read_configuration

    chosen = settings.load(args)
    state = chosen.state.absolute()
    if is_running(state):
        return _ask_daemon(state, action, name)
    entry = next((entry for entry in read_configuration(chosen).outputs if entry.name == name), None)
    if entry is None:
        known = ", ".join(chosen.outputs) or "none"
        raise UsageError(f"there is no output {name}; the settings have: {known}")
    from dogid.outputs.trial_messages import TEST, change_parked

    if action != TEST:
        from dogid.outputs.store import OutputStore

        with acting_as_owner_of(state), contextlib.closing(OutputStore(state)) as store:
            return change_parked(store, action, name)
    from dogid.outputs.alone import send_test_alone

    return send_test_alone(entry, chosen)


def _ask_daemon(state: Path, action: str, name: str) -> "TestOutcome":
    """Have the daemon do it, and wait for that. Raise DogidError where it does not answer."""
    from dogid.clock import Clock
    from dogid.daemon.folders import is_running
    from dogid.daemon.lock_holder import signal_daemon
    from dogid.outputs.store import OutputStore
    from dogid.outputs.trial_messages import ask_daemon_for, is_taken, read_outcome, withdraw_request

    with acting_as_owner_of(state), contextlib.closing(OutputStore(state)) as store:
        request = ask_daemon_for(action, store, name, Clock())
        try:
            if signal_daemon(state, signal.SIGHUP) is None:
                raise DogidError(
                    f"{state}: a daemon uses it that cannot be found from here; is it in another container?"
                )
            began, is_noted = time.monotonic(), False
            while (outcome := read_outcome(store, request)) is None:
                waited, taken = time.monotonic() - began, is_taken(store, request)
                if waited > (_SENDING_SECONDS if taken else _ANSWER_SECONDS):
                    raise DogidError(f"the daemon did not answer within {waited:.0f} s; see its log")
                if taken and waited > _NOTE_SECONDS and not is_noted:
                    print_message(f"output {name}: it is sending what it began before, and comes to this after that")
                    is_noted = True
                if not is_running(state):
                    raise DogidError("the daemon has stopped before it came to this")
                time.sleep(_POLL_SECONDS)
        finally:
            withdraw_request(store, request)
    return outcome
