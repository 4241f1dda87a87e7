"""Changing the ledger from a command, whether or not a daemon that owns it runs."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dogid.errors import UsageError
from dogid.ledger.database import FILE_NAME, open_for_changes
from dogid.ledger.ledger_condition import find_full_disk


@contextlib.contextmanager
def changing_ledger(state: Path, command: str) -> Iterator[sqlite3.Connection]:
    """Open the ledger in a state folder for a command to write to, in transactions of the command's own.

    Raise UsageError where it cannot be written.
    """
    path = state / FILE_NAME
    try:
        db = open_for_changes(state)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        # a full disk may show as an I/O error: no room for the files that SQLite keeps beside the ledger
        if "full" in str(error) or find_full_disk(state) is not None:
            raise UsageError(f"{path}: its disk is full; make room there, and run it again") from error
        if "readonly" not in str(error) and "unable to open" not in str(error):
            raise UsageError(f"{path}: cannot be written: {error}; try again") from error
        way_out = f"run it as the daemon's user: sudo -u dogid dogid {command}"
        raise UsageError(f"{path}: cannot be written: {error}; {way_out}") from error
