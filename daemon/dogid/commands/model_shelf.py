"""`dogid model list|activate|rollback`: the models of a state folder, and which one of them is active."""

import argparse
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands.output import print_json, print_line, print_message, print_table
from dogid.commands.reading_state import owner_of
from dogid.conditions import model_is_set, no_rights
from dogid.errors import ConflictError, DogidError, UsageError
from dogid.quantities import count_of

if TYPE_CHECKING:
    from dogid.shelf.listing import ListedModel

_LABELS_SHOWN = 4
_HASH_DIGITS = 12
_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 120.0  # for every worker to prove a model between two photos; less gives up on slow boards
_FLAGS = ("state", "labels", "normalisation", "channels", "size")


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --json and the state folder."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, ("state",))


def add_activate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, --json, and the flags that say how a model is fed."""
    parser.add_argument("name", metavar="MODEL", help="a name on the shelf, or a file, which is copied onto the shelf")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, _FLAGS)


def add_rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --json and the state folder."""
    add_list_arguments(parser)


def run_list(args: argparse.Namespace) -> int:
    """Print all models of the shelf and the shipped one."""
    from dogid.shelf.listing import list_models

    models = list_models(settings.load(args).state.absolute())
    if args.json:
        print_json({"models": [model.document() for model in models]})
    else:
        print_table([_row(model) for model in models], ("name", "", "labels", "size", "made from", "added", "sha256"))
        for model in models:
            if model.problem is not None:
                print_message(f"{model.name}: {model.problem}")
    return int(any(model.active and model.problem is not None for model in models))


def run_activate(args: argparse.Namespace) -> int:
    """Have a model of the shelf, or one that is put there, be the active one. Raise DogidError where it cannot run."""
    chosen = settings.load(args)
    reject_set_model(chosen)
    state = chosen.state.absolute()
    name = _prove(args, chosen, state)
    change_model(chosen, state, name)
    return _report(args, state)


def run_rollback(args: argparse.Namespace) -> int:
    """Have the model before the active one be active again. Raise ConflictError where there is none."""
    chosen = settings.load(args)
    reject_set_model(chosen)
    state = chosen.state.absolute()
    wanted = _read_previous(state)
    change_model(chosen, state, None)
    if wanted is not None and wanted != _read_active(state):
        print_message(f"{wanted} is gone or damaged, and was skipped")
    return _report(args, state)


def _read_previous(state: Path) -> str | None:
    """Return the file to which a rollback goes; None for the shipped model, or where that is not known."""
    from dogid.shelf.pointer import DamagedPointerError, read_pointer

    try:
        previous = read_pointer(state).previous
    except DamagedPointerError:
        return None
    return None if previous is None else previous.name


def _read_active(state: Path) -> str | None:
    from dogid.shelf.pointer import read_pointer

    active = read_pointer(state).active
    return None if active is None else active.name


def reject_set_model(chosen: settings.Settings) -> None:
    """Raise ConflictError where the settings name the model: what is activated would not run."""
    if chosen.model is not None:
        raise ConflictError(model_is_set(chosen.model))


def _prove(args: argparse.Namespace, chosen: settings.Settings, state: Path) -> str:
    """Return the name on the shelf of a model that passes its self-test; a file goes there first. Raise UsageError."""
    from dogid.model.model_file import InputOptions
    from dogid.model.shipped import shipped_model
    from dogid.shelf.folder import find_on_shelf, put_on_shelf
    from dogid.shelf.open_model import explain_unknown_model, open_model

    name, found = str(args.name), find_on_shelf(state, args.name)
    flags = (args.labels, args.normalisation, args.channels, args.size)  # what the configuration has is not the model's
    if found is not None and flags == (None,) * len(flags):
        return name
    file, shipped = found or Path(name), shipped_model()
    if name in (shipped.name, shipped.stem) and not file.exists():
        return name
    if not file.is_file():
        raise UsageError(explain_unknown_model(state, name))
    given = settings.load(argparse.Namespace(**{key: getattr(args, key) for key in _FLAGS if key != "state"}), {})
    options = InputOptions(given.normalisation, given.channels, given.size)
    model = open_model(replace(chosen, model=file.absolute(), labels=given.labels))
    content = file.read_bytes()
    labels = model.labels if Path(model.file.labels_from).is_file() else None  # else they are inside
    with acting_as_owner_of(state):
        path = put_on_shelf(state, file.stem, content, str(file.absolute()), labels=labels, options=options)
    return path.name


def change_model(chosen: settings.Settings, state: Path, name: str | None, *, parent: str | None = None) -> None:
    """Activate a model by its name, or go back where that is None: by the daemon if one runs, else here.

    parent: the SHA-256 that the active model must have, in hex; None for any. Raise ConflictError where it has not,
    DogidError where the change is refused.
    """
    from dogid.daemon.folders import is_running, lock_state

    if is_running(state):
        _ask_daemon(state, name, parent)
        return
    with acting_as_owner_of(state):
        state.mkdir(parents=True, exist_ok=True)
        lock = lock_state(state)  # so that no daemon starts meanwhile
        try:
            _change_here(chosen, state, name, parent)
        finally:
            os.close(lock)


def _change_here(chosen: settings.Settings, state: Path, name: str | None, parent: str | None) -> None:
    from dogid.clock import Clock
    from dogid.daemon.model_switch import ModelSwitch

    switch = ModelSwitch(state, Clock(), lambda: replace(chosen, state=state), lambda _, commit: commit())
    switch.change(name, parent)


def _ask_daemon(state: Path, name: str | None, parent: str | None) -> None:
    """Have the daemon change its model, and wait for that. Raise DogidError where it refuses, or does not answer."""
    from dogid.daemon.lock_holder import signal_daemon
    from dogid.shelf.requests import read_outcome, withdraw_request, write_request

    with acting_as_owner_of(state):
        request = write_request(state, name, parent)
    try:
        pid = signal_daemon(state, signal.SIGHUP)
        if pid is None:
            raise DogidError(f"{state}: a daemon uses it that cannot be found from here; is it in another container?")
        deadline = time.monotonic() + _ANSWER_SECONDS
        while (outcome := read_outcome(state, request)) is None:
            if not Path(f"/proc/{pid}").exists():
                raise DogidError("the daemon ended before it had changed its model; see: dogid model list")
            if time.monotonic() > deadline:
                raise DogidError(f"the daemon did not answer within {_ANSWER_SECONDS:g} s; see its log")
            time.sleep(_POLL_SECONDS)
    except PermissionError as error:
        raise UsageError(no_rights(state, owner_of(state))) from error
    finally:
        with acting_as_owner_of(state):
            withdraw_request(state, request)
    if outcome.refusal is not None:
        raise (UsageError if outcome.is_usage_error else DogidError)(outcome.refusal)


@contextlib.contextmanager
def acting_as_owner_of(state: Path) -> Iterator[None]:
    """Act as the owner of the state folder where root was asked to; explain where another user has no rights."""
    from dogid.system.owner import acting_as_owner

    try:
        with acting_as_owner(state):
            yield
    except PermissionError as error:
        raise UsageError(no_rights(state, owner_of(state))) from error
    except OSError as error:
        raise DogidError(f"{error.filename or state}: cannot be written: {error.strerror or error}") from error


def _report(args: argparse.Namespace, state: Path) -> int:
    from dogid.shelf.listing import list_models

    models = list_models(state)
    active = next(model for model in models if model.active)
    previous = next((model for model in models if model.previous), None)
    if args.json:
        print_json({"active": active.document(), "previous": None if previous is None else previous.document()})
        return 0
    print_line(f"active: {active.name}, {count_of(len(active.labels), 'label')}, made from {active.made_from}")
    if previous is not None:
        print_line(f"before: {previous.name}; back to it: dogid model rollback")
    print_older_answers(state, active.sha256)
    return 0


def print_older_answers(state: Path, sha256: str | None) -> None:
    """Say how many answers are of other models than the one of that SHA-256, and what to do; nothing for none."""
    from dogid.ledger.database import open_for_reading
    from dogid.ledger.queries import count_present_by_status
    from dogid.ledger.replays import count_older_answers

    # where there is no ledger yet, or a damaged one, there is nothing to say of it here
    with contextlib.suppress(UsageError, sqlite3.Error), contextlib.closing(open_for_reading(state)) as db:
        older = 0 if sha256 is None else count_older_answers(db, sha256)
        if older:
            print_line(
                f"{older} of {count_present_by_status(db)['classified']} answers are of the former model; "
                "what this one answers: dogid replay"
            )


def _row(model: "ListedModel") -> tuple[str, ...]:
    marks = [
        ("active", model.active),
        ("previous", model.previous),
        ("shipped", model.shipped),
        ("did not pass", model.passed is False),
        ("damaged", model.problem is not None),
    ]
    labels = ", ".join(model.labels[:_LABELS_SHOWN])
    if len(model.labels) > _LABELS_SHOWN:
        labels += f", ... ({len(model.labels)})"
    return (
        model.name,
        ", ".join(mark for mark, is_so in marks if is_so),
        labels,
        f"{model.size / 1e6:.1f} MB",
        model.made_from,
        model.added_at[:16],
        (model.sha256 or "")[:_HASH_DIGITS],
    )
