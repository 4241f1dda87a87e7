"""A ledger that is damaged while it is open."""

import contextlib
import sqlite3
from pathlib import Path


def damage(state: Path) -> None:
    """Have the table of photos begin at a page that does not exist."""
    with contextlib.closing(sqlite3.connect(state / "ledger.db", isolation_level=None)) as db:
        (version,) = db.execute("PRAGMA schema_version").fetchone()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 'photo'")
        db.execute(f"PRAGMA schema_version = {version + 1}")
