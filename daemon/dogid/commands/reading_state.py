"""Opening the state folder of a daemon, for the commands that read it."""

import argparse
import os
import pwd
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dogid import settings
from dogid.conditions import inbox_hangs, no_rights
from dogid.errors import DogidError, UsageError
from dogid.file_names import from_one_line
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.ledger.ledger_condition import find_full_disk
from dogid.ledger.reading_connection import ReadingConnection
from dogid.settings import Settings

_INBOX_SECONDS = 20.0  # for its folders to be looked at; raising it waits longer for a server that is down
T = TypeVar("T")
_SETTINGS = ("inbox", "state")


def add_arguments(parser: argparse.ArgumentParser, others: tuple[str, ...] = ()) -> None:
    """Add --json, the flags that select a daemon, and those of other settings."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--instance", dest="config", type=_config_of_instance, metavar="NAME",
        help="the daemon of `dogid service install --instance NAME`: its --config is /etc/dogid/NAME.toml",
    )  # fmt: skip
    settings.add_flags(parser, (*_SETTINGS, *others))


def _config_of_instance(name: str) -> str:
    from dogid.installer.paths import ServicePaths  # most commands name no instance

    return str(ServicePaths(name).config)


def open_state(args: argparse.Namespace) -> ReadingConnection:
    """Open the ledger of the selected daemon for reading, whether or not the daemon runs.

    What is unsure is as for a daemon that runs, which need not have this command's settings; else by those. Raise
    UsageError where there is no ledger, or where it cannot be read.
    """
    from dogid.daemon.condition_monitor import read_thresholds
    from dogid.daemon.folders import is_running

    chosen = settings.load(args)
    state = chosen.state.absolute()
    ledger = state / FILE_NAME
    try:
        exists = ledger.exists()
    except PermissionError:
        raise UsageError(no_rights(state, owner_of(state))) from None
    if exists and not os.access(ledger, os.R_OK):
        raise UsageError(no_rights(ledger, owner_of(ledger)))
    try:
        db = open_for_reading(state)
    except UsageError as error:
        # on a full disk a start leaves an empty file, and SQLite finds no room for the files beside the ledger
        full = None if error.__cause__ is None else find_full_disk(state)
        raise UsageError(full or str(error)) from error
    noted = read_thresholds(state) if is_running(state) else None
    db.thresholds = chosen.thresholds if noted is None else noted
    return db


def load_settings_beside(args: argparse.Namespace) -> Settings:
    """Return the settings of a command that shows what a running daemon does by its own.

    Where the command has no file of its own, and a daemon runs with the state folder, they are those of its file, and
    inbox, host and port as it uses them; flags and variables go before. Raise UsageError.
    """
    from dogid.daemon.condition_monitor import read_noted_settings
    from dogid.daemon.folders import is_running

    chosen = settings.load(args)
    state = chosen.state.absolute()
    if chosen.config_file is not None or not is_running(state):
        return chosen
    noted = read_noted_settings(state)
    if noted is None:
        return chosen
    if noted.config is not None and _is_trusted(noted.config):
        chosen = settings.load(argparse.Namespace(**{**vars(args), "config": str(noted.config)}))
    beside = replace(chosen, state=state)
    for name in ("inbox", "host", "port"):
        if getattr(args, name, None) is None and settings.variable(name) not in os.environ:
            beside = replace(beside, **{name: getattr(noted, name)})
    return beside


def find_inbox(args: argparse.Namespace) -> Path:
    """Return the inbox of the selected daemon: as given or set, else the one that the state folder was last used with.

    Raise UsageError where a setting is wrong.
    """
    from dogid.daemon.condition_monitor import read_noted_settings

    chosen = settings.load(args)
    is_set = args.inbox is not None or settings.variable("inbox") in os.environ or chosen.config_file is not None
    noted = None if is_set else read_noted_settings(chosen.state.absolute())
    return chosen.inbox.absolute() if noted is None else noted.inbox


def _is_trusted(config: Path) -> bool:
    """Whether this user may go by a file that is named in the state folder: root not by one that others can write."""
    try:
        return os.getuid() != 0 or config.stat().st_uid == 0
    except OSError:
        return False


def list_all_labels(chosen: Settings, ledger: sqlite3.Connection | None) -> list[str]:
    """Return the labels of the model that the settings choose, and those that the ledger knows."""
    from dogid.ledger.known_labels import list_known_labels
    from dogid.model.model_file import read_model_file
    from dogid.shelf.open_model import find_model

    known = [] if ledger is None else list_known_labels(ledger)
    try:
        found = find_model(chosen)
        own = read_model_file(found.path, found.labels, found.options).labels
    except DogidError:
        own = None
    return [*dict.fromkeys([*(own or ()), *known])]


def ask_inbox(inbox: Path, task: Callable[[], T]) -> T | str:
    """Return what a task finds out in the inbox; where the inbox does not answer in time, the message for that."""
    found: Future[T] = Future()

    def ask() -> None:
        try:
            found.set_result(task())
        except BaseException as error:  # whatever it is, the caller gets it
            found.set_exception(error)

    threading.Thread(target=ask, name="inbox", daemon=True).start()
    return found.result() if wait((found,), _INBOX_SECONDS).done else inbox_hangs(inbox)


def owner_of(path: Path) -> str:
    """Return the name of the user who owns a path, or the nearest folder above it that can be seen."""
    for found in (path, *path.parents):
        try:
            number = found.stat().st_uid
        except OSError:
            continue
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)
    return "root"


def names_in_ledger(file: str, inbox: Path) -> list[str]:
    """Return the names that the ledger may have for a file: relative to the inbox, or as given, or as printed."""
    name = name_in_inbox(file, inbox)
    names = [file] if name is None else [name, file]
    return list(dict.fromkeys([*names, *map(from_one_line, names)]))


def name_in_inbox(file: str, inbox: Path) -> str | None:
    """Return a path, which need not exist, relative to the inbox; None where it lies outside."""
    folder, name = os.path.split(os.path.abspath(file))
    # links of the folder are resolved, but not of the file: the ledger has a linked photo under the link's name
    for full, root in ((folder, os.path.abspath(inbox)), (os.path.realpath(folder), os.path.realpath(inbox))):
        if f"{full}/".startswith(f"{root}/"):
            return os.path.join(full, name)[len(root) + 1 :]
    return None
