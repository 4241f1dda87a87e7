"""Whether the ledger can be used, as far as its disk shows, and its daemon has noted."""

import os
from pathlib import Path

from dogid.conditions import LEDGER_DAMAGED, ledger_unwritable
from dogid.ledger.database import is_suspected

_LEAST_BYTES = 200_000  # a commit of some results, with SQLite's write-ahead log; less may still suffice for one


def ledger_problem(state: Path) -> str | None:
    """Return why the ledger in a state folder cannot be used, with the way out; None where nothing is known."""
    if is_suspected(state):
        return LEDGER_DAMAGED
    try:
        disk = os.statvfs(state)
    except OSError:
        return None  # reading the ledger reports it
    return ledger_unwritable(state, "full") if disk.f_bavail * disk.f_frsize < _LEAST_BYTES else None
