"""What of the ledger's changes rules decide about."""

import sqlite3
from collections.abc import Sequence

from dogid.ledger.replays import find_replaced
from dogid.ledger.reviews import Change


def leave_out_replayed(ledger: sqlite3.Connection, changes: Sequence[Change]) -> list[Change]:
    """Return changes without those that a replay has made of old photos, in their order."""
    ids = {change.result["id"] for change in changes if change.kind == "result" and change.result is not None}
    replaced = find_replaced(ledger, ids) if ids else frozenset()
    return [change for change in changes if change.result is None or change.result["id"] not in replaced]
