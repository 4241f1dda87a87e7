"""Whether the ledger's files are still those that the daemon has open."""

import os
from pathlib import Path

from dogid.conditions import ledger_replaced
from dogid.ledger.database import FILE_NAME


class LedgerFiles:
    """The state folder and the ledger's files, as they are when this is made: with the ledger open.

    What is written to a file that was moved or deleted is not there at the next start.
    """

    def __init__(self, state: Path, others: tuple[str, ...]) -> None:
        """others: names of further files in the state folder that stay for as long as the daemon runs."""
        self._state = state
        names = (FILE_NAME, f"{FILE_NAME}-wal", *others)
        self._identities = {path: _identity(path) for path in (state, *(state / name for name in names))}

    def problem(self) -> str | None:
        """Return which of them was moved, deleted or replaced, with the way out; None where none was."""
        for path, identity in self._identities.items():
            if identity is not None and _identity(path) != identity:
                return ledger_replaced(path)
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what two files never share at the same time; None where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
