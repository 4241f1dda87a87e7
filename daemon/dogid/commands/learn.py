"""`dogid learn`: a new model of what people said about photos, with the proof that it is better and not worse."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from dogid import settings
from dogid.commands import contradictions, model_shelf, reading_state
from dogid.commands.output import print_json, print_line, print_message
from dogid.errors import DogidError, UsageError
from dogid.learning_run.end_with_daemon import WITH_DAEMON, DaemonEndedError, check_daemon, end_with_daemon
from dogid.settings import Settings
from dogid.system.malloc import return_large_blocks

_NICENESS = 19
"""Of a run beside a daemon: of cores that photos keep busy it gets what the kernel gives to the lowest priority, and
its disk accesses come last. Less takes more of the cores from photos. The idle class may get nothing for as long as
photos arrive, also while it writes and holds the ledger."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --activate, --precision and the flags of `contradictions` and `reading_state`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--activate", action="store_true", help="have the new model classify, where it passes the gate")
    contradictions.add_flags(what, parser)
    parser.add_argument(
        "--precision",
        type=float,
        default=0.95,
        metavar="P",
        help="propose thresholds at which this share of the answers that are not unsure is right (default: 0.95)",
    )
    parser.add_argument(WITH_DAEMON, action="store_true", help=argparse.SUPPRESS)
    reading_state.add_arguments(parser, settings.LEARNING_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Learn, or list and answer contradictions; print the report.

    The exit status is 1 where the new model has not passed the gate; it is on the shelf all the same.
    """
    # before numpy is loaded, and whatever the user has set: with more threads sums have other last bits, so that the
    # same reviews would give another model; and a second thread would take time from the daemon's workers
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    return_large_blocks()
    if not 0.5 <= args.precision < 1:
        raise UsageError("--precision must be from 0.5 to below 1, as in 0.95")
    try:
        if args.with_daemon:
            end_with_daemon()
        return _run(args)
    except DaemonEndedError as error:
        raise DogidError(str(error)) from None


def _run(args: argparse.Namespace) -> int:
    from dogid.daemon.folders import is_running

    chosen = settings.load(args)
    state = chosen.state.absolute()
    if is_running(state):
        os.nice(_NICENESS)
    if contradictions.is_asked(args):
        return contradictions.list_or_answer(args, chosen, state, _report_step)
    if args.activate:
        model_shelf.reject_set_model(chosen)
    document = _learn(args, chosen, state)
    if args.json:
        print_json(document)
    else:
        _print(document, state, activate=args.activate)
    return 0 if document["passed"] else 1


def _learn(args: argparse.Namespace, chosen: Settings, state: Path) -> dict[str, Any]:
    from dogid.learning_run.last_report import keep_beginning, keep_failure, keep_report
    from dogid.learning_run.lock import learning_alone
    from dogid.learning_run.run import learn_model

    db = reading_state.open_state(args)
    with contextlib.ExitStack() as stack:
        with model_shelf.acting_as_owner_of(state):
            stack.enter_context(learning_alone(state))
            try:
                keep_beginning(state)
                learned = learn_model(chosen, state, db, _report_step, args.precision)
                keep_report(state, learned.document)
            except BaseException as error:  # also of no memory, no room, Ctrl-C: an older report is not of this run
                is_explained = isinstance(error, (DogidError, DaemonEndedError))
                keep_failure(state, str(error) if is_explained else f"{type(error).__name__}: {error}")
                raise
        document = learned.document
        check_daemon()
        if args.activate and document["passed"]:
            _activate(chosen, state, document)
    return document


def _activate(chosen: Settings, state: Path, document: dict[str, Any]) -> None:
    """Have the learned model be the active one, and say so in its report, or why that was refused. Raise DogidError."""
    from dogid.learning_run.last_report import keep_report

    try:
        model_shelf.change_model(chosen, state, document["name"], parent=document["parent"]["sha256"])
        document["activated"] = True
    except BaseException as error:
        document["activation_error"] = {"message": str(error) or type(error).__name__}
        raise
    finally:
        with model_shelf.acting_as_owner_of(state):
            keep_report(state, document)


def _report_step(step: str) -> None:
    if sys.stderr.isatty():
        print_message(f"{step} ...")


def _print(document: dict[str, Any], state: Path, *, activate: bool) -> None:
    from dogid.learning_run.report import format_report

    for line in format_report(document):
        print_line(line)
    print_line(f"model: {document['model']}")
    if document["activated"]:
        print_line("it is active now; the former one is back by: dogid model rollback")
        model_shelf.print_older_answers(state, document["sha256"])
    elif document["passed"] and not activate:
        print_line(f"have it classify: dogid model activate {document['name']}")
    else:
        print_line(f"it is not active; to use it all the same: dogid model activate {document['name']}")
