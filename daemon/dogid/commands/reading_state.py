"""Opening the state folder of a daemon, for the commands that read it."""

import argparse
import sqlite3

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
