"""Whether the ledger can be used, as far as its disk shows, and its daemon has noted."""

import contextlib
import os
import sqlite3
from pathlib import Path

from dogid.conditions import LEDGER_DAMAGED, LEDGER_EMPTY, LEDGER_IS_FOLDER, ledger_unwritable, start_replaces_ledger
from dogid.ledger.damage import DamagedLedgerError, check_header, prevents_opening
from dogid.ledger.database import FILE_NAME, has_log, is_suspected, uri_path

# Two commits of a result, with SQLite's write-ahead log: the first after a start takes 82 kB. Raising it calls a disk
# full on which results are written still; lowering it calls one writable on which none is.
_LEAST_BYTES = 100_000


def ledger_problem(state: Path) -> str | None:
    """Return why the ledger in a state folder cannot be used, with the way out; None where nothing is known."""
    return LEDGER_DAMAGED if is_suspected(state) else find_full_disk(state)


def find_full_disk(state: Path) -> str | None:
    """Return the message for a state folder whose disk has no room for results; None where it has."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return None  # reading the ledger reports it
    return ledger_unwritable(state, "full") if disk.f_bavail * disk.f_frsize < _LEAST_BYTES else None


def find_damage(state: Path) -> str | None:
    """Read the ledger in a state folder from end to end, without changing anything.

    Return what is damaged, and what a start of the daemon does about it; None where nothing is, or there is no ledger.
    """
    path = state / FILE_NAME
    if path.is_dir():
        return LEDGER_IS_FOLDER
    if not path.exists():
        return None
    if path.stat().st_size == 0 and not has_log(path):
        return LEDGER_EMPTY
    # without a log it is not being written, and SQLite needs no files beside it
    address = f"file:{uri_path(path)}?mode=ro{'' if has_log(path) else '&immutable=1'}"
    try:
        check_header(path)
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=1)) as db:
            db.execute("SELECT rows FROM tally").fetchone()
            verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise DamagedLedgerError(verdict)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            return start_replaces_ledger("a text in it cannot be read")
        return start_replaces_ledger(str(error)) if prevents_opening(error) else None
    return None
