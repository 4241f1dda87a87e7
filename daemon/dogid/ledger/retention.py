"""Deleting old results of photos that have left the inbox, by age and by number. All others are kept.

A result goes with the former versions of its photo, which count for nothing by themselves.

A result that is forgotten while its photo is still there would be made again. A disk that is not mounted looks like a
folder that has been emptied: so what was in a folder that is empty now is kept.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dogid.ledger.ledger import Ledger
from dogid.ledger.presence import AbsenceCheck
from dogid.ledger.queries import MAX_ID

_PAGE = 500
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how many; 0 is for ever, and all."""

    days: int
    rows: int

    @property
    def forgets(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.days or self.rows)


def forget_departed(
    ledger: Ledger,
    db: sqlite3.Connection,
    inbox: Path,
    retention: Retention,
    now_ms: int,
    is_stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Forget what retention does not keep; return how many results that were. db is a connection for reading."""
    check = AbsenceCheck(inbox)
    forgotten = departed = 0
    for page in _pages(db):
        if is_stopping():
            break
        unwanted: list[int] = []
        for row in page:
            if not check.has_left(bytes(row["path"])):
                continue
            departed += 1
            too_old = retention.days and row["classified_at"] < now_ms - retention.days * _DAY_MS
            if too_old or (retention.rows and departed > retention.rows):
                unwanted.append(row["id"])
        forgotten += ledger.forget(unwanted)
    return forgotten


def _pages(db: sqlite3.Connection) -> Iterator[list[sqlite3.Row]]:
    """Each photo's answered row, newest first."""
    query = (
        "SELECT id, path, classified_at FROM photo WHERE id < ? AND classified_at IS NOT NULL"
        " AND state != 'superseded' ORDER BY id DESC LIMIT ?"
    )
    below = MAX_ID
    while page := db.execute(query, (below, _PAGE)).fetchall():
        yield page
        below = page[-1]["id"]
