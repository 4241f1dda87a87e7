"""Photos that failed, grouped by the reason: one line of help is enough for all of a kind."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from dogid.ledger.queries import ResultFilter, list_results
from dogid.result_document import Result
from dogid.web.pages.formatting import ErrorExplanation, explain_error

MOST = 300
"""Failed photos that are looked at, the newest. More take longer to read: 300 take some milliseconds."""
_SHOWN = 3
"""Names of each group."""


@dataclass(frozen=True, slots=True)
class FailedGroup:
    """Photos that failed for one reason, the newest first."""

    explanation: ErrorExplanation
    count: int
    shown: Sequence[Result]


def group_failed(db: sqlite3.Connection) -> list[FailedGroup]:
    """Return the failed photos that are in the inbox, of the newest MOST, by reason: the most frequent first."""
    groups = dict[ErrorExplanation, list[Result]]()
    for result in list_results(db, ResultFilter(limit=MOST, status="failed", present=True)):
        explanation = explain_error(result["error"]["code"], result["error"]["message"])
        groups.setdefault(explanation, []).append(result)
    found = [FailedGroup(explanation, len(results), results[:_SHOWN]) for explanation, results in groups.items()]
    return sorted(found, key=lambda group: -group.count)
