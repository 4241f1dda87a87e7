"""Whether the ledger can be written, as far as its disk shows."""

import os
from pathlib import Path

from dogid.conditions import ledger_unwritable

_LEAST_BYTES = 200_000  # a commit of some results, with SQLite's write-ahead log; less may still suffice for one


def ledger_problem(state: Path) -> str | None:
    """Return why the ledger in a state folder cannot be written, with the way out; None where nothing is known."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return None  # reading the ledger reports it
    return ledger_unwritable(state, "full") if disk.f_bavail * disk.f_frsize < _LEAST_BYTES else None
