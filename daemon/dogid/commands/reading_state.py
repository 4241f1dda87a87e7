"""Opening the state folder of a daemon, for the commands that read it."""

import argparse
import os
import pwd
from pathlib import Path

from dogid import settings
from dogid.conditions import no_rights
from dogid.errors import UsageError
from dogid.file_names import from_one_line
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.ledger.reading_connection import ReadingConnection

_SETTINGS = ("inbox", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --json, and the flags that select a daemon."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, _SETTINGS)


def open_state(args: argparse.Namespace) -> ReadingConnection:
    """Open the ledger of the selected daemon for reading, whether or not the daemon runs.

    Raise UsageError where there is no ledger, or where it cannot be read.
    """
    state = settings.load(args).state.absolute()
    ledger = state / FILE_NAME
    try:
        exists = ledger.exists()
    except PermissionError:
        raise UsageError(no_rights(state, owner_of(state))) from None
    if exists and not os.access(ledger, os.R_OK):
        raise UsageError(no_rights(ledger, owner_of(ledger)))
    return open_for_reading(state)


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
    folder, name = os.path.split(os.path.abspath(file))
    # links of the folder are resolved, but not of the file: the ledger has a linked photo under the link's name
    for full, root in ((folder, os.path.abspath(inbox)), (os.path.realpath(folder), os.path.realpath(inbox))):
        if f"{full}/".startswith(f"{root}/"):
            names = [os.path.join(full, name)[len(root) + 1 :], file]
            break
    else:
        names = [file]
    return list(dict.fromkeys([*names, *map(from_one_line, names)]))
