"""Opening the state folder of a daemon, for the commands that read it."""

import argparse
import os
import sqlite3
from pathlib import Path

from dogid import settings
from dogid.ledger.database import open_for_reading

_SETTINGS = ("inbox", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --json, and the flags that select a daemon."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, _SETTINGS)


def open_state(args: argparse.Namespace) -> sqlite3.Connection:
    """Open the ledger of the selected daemon for reading, whether or not the daemon runs.

    Raise UsageError where there is no ledger, or where it cannot be read.
    """
    return open_for_reading(settings.load(args).state.absolute())


def names_in_ledger(file: str, inbox: Path) -> list[str]:
    """Return the names that the ledger may have for a file: relative to the inbox, or as given."""
    folder, name = os.path.split(os.path.abspath(file))
    # links of the folder are resolved, but not of the file: the ledger has a linked photo under the link's name
    for full, root in ((folder, os.path.abspath(inbox)), (os.path.realpath(folder), os.path.realpath(inbox))):
        if f"{full}/".startswith(f"{root}/"):
            return [os.path.join(full, name)[len(root) + 1 :], file]
    return [file]
