"""The ledger's counters: of results, and of damaged rows."""

import sqlite3

_COUNT_DAMAGE = """INSERT INTO counter VALUES ('damaged', ?1)
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"""
FIRST_IMPORTED_SEQ, LAST_IMPORTED_SEQ = -(1 << 62), -(1 << 61)
"""Between these lie the sequence numbers of results that were brought in, which grow, too: before all that was answered
here, so that no follower takes them for new ones."""
LARGEST_SEQ = """SELECT max(
    (SELECT coalesce(max(seq), 0) FROM photo WHERE seq IS NOT NULL), (SELECT coalesce(max(id), 0) FROM review))"""
"""Query for the largest number that a result or a review has."""


def take_next_seq(db: sqlite3.Connection) -> int:
    """Return the next sequence number, of a result or a review; no other gets it."""
    query = "UPDATE counter SET value = value + 1 WHERE name = 'seq' RETURNING value"
    return int(db.execute(query).fetchone()[0])


def correct_last_seq(db: sqlite3.Connection) -> None:
    """Let the next result or review get a sequence number that no other has."""
    (largest,) = db.execute(LARGEST_SEQ).fetchone()
    db.execute("UPDATE counter SET value = ? WHERE name = 'seq' AND value < ?", (largest, largest))


def count_damage(db: sqlite3.Connection, rows: int) -> None:
    """Add to what `count_damaged_rows` returns."""
    db.execute(_COUNT_DAMAGE, (rows,))


def count_damaged_rows(db: sqlite3.Connection) -> int:
    """Return how many damaged rows have been repaired or deleted since the ledger was begun."""
    row = db.execute("SELECT value FROM counter WHERE name = 'damaged'").fetchone()
    return 0 if row is None else int(row[0])


def read_salvaged(db: sqlite3.Connection) -> int | None:
    """Return how many results were copied from a damaged ledger, of several the last; None where there was none."""
    row = db.execute("SELECT value FROM counter WHERE name = 'salvaged'").fetchone()
    return None if row is None else int(row[0])
