"""What was in the ledger at a moment of the past, as far as its results show it."""

import sqlite3


def find_seq_before(db: sqlite3.Connection, moment_ms: int) -> int:
    """Return a sequence number that all results since a moment come after, in milliseconds since 1970.

    Results that were brought in come before all others.
    """
    row = db.execute(
        "SELECT min(seq) FROM photo WHERE seq > 0 AND classified_at >= ?",
        (moment_ms,),
    ).fetchone()
    if row[0] is not None:
        return int(row[0]) - 1
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM photo WHERE seq IS NOT NULL").fetchone()[0])


def list_labels_up_to(db: sqlite3.Connection, seq: int) -> list[str]:
    """Return the labels of the results up to a sequence number."""
    query = "SELECT DISTINCT label FROM photo WHERE seq <= ? AND typeof(label) = 'text'"
    return [label for (label,) in db.execute(query, (seq,))]
