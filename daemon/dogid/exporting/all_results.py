"""All results that match a filter, oldest first, in bounded memory; the ledger's log can shrink meanwhile."""

import dataclasses
import sqlite3
from collections.abc import Iterator

from dogid.ledger.queries import ResultFilter, iterate_results
from dogid.result_document import Result

BATCH = 500
"""Results that are read at once. More take more memory; each batch is a query of its own, which fewer make more of."""


def iterate_batches(db: sqlite3.Connection, wanted: ResultFilter, batch: int = BATCH) -> Iterator[list[Result]]:
    """Yield the results that match a filter, but for its limit, in the order of their ids.

    A photo that is overwritten meanwhile is not missed: its new result has a larger id, and comes at the end. One whose
    earlier result had been yielded before comes twice.
    """
    last = wanted.after or 0
    while True:
        found = list(iterate_results(db, dataclasses.replace(wanted, after=last, limit=batch)))
        if not found:
            return
        last = found[-1]["id"]
        yield found
