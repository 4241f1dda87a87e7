"""Checking a copy of a ledger that no daemon uses, as a backup holds it, and repairing its rows and indexes."""

import logging
import sqlite3
from pathlib import Path

from dogid.inbox.scan import find_file
from dogid.ledger.damage import DamagedLedgerError, is_of_contents
from dogid.ledger.database import open_unchecked
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.index_repair import find_unlike_paths, rebuild_indexes
from dogid.ledger.inspection import LedgerInspector

log = logging.getLogger(__name__)


def open_sound_copy(folder: Path, inbox: Path | None) -> sqlite3.Connection:
    """Open the ledger in folder for writing after a check of all of it; damaged rows and indexes are repaired.

    Where a photo has two paths, that of the file in inbox stays; the row's where there is none, or inbox is None. Raise
    UsageError where a later dogid wrote the ledger, sqlite3.DatabaseError where pages are damaged.
    """
    db = open_unchecked(folder)
    try:
        if (verdict := _check(db)) != "ok":
            if not is_of_contents(verdict):
                raise DamagedLedgerError(f"database disk image is malformed: {verdict}")
            _repair(db, inbox)
            if (verdict := _check(db)) != "ok":
                raise DamagedLedgerError(f"database disk image is malformed: {verdict}")
    except UnicodeDecodeError as error:
        db.close()
        raise DamagedLedgerError("an error of SQLite quotes damaged text") from error
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> str:
    return str(db.execute("PRAGMA integrity_check(1)").fetchone()[0]).replace("\n", "; ")


def _repair(db: sqlite3.Connection, inbox: Path | None) -> None:
    paths = {}
    if inbox is not None:
        for photo in find_unlike_paths(db):
            in_index, in_row = find_file(inbox, photo.in_index), find_file(inbox, photo.in_row)
            is_indexed = in_index is not None and in_index.version.has_same_stat(photo.version)
            if is_indexed and not (in_row is not None and in_row.version.has_same_stat(photo.version)):
                paths[photo.id] = photo.in_index
    db.execute("BEGIN IMMEDIATE")
    try:
        rebuild_indexes(db, FormerVersions(db, 0), paths, LedgerInspector(db).repair_everything)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    log.warning("the copy of the ledger had damaged rows or indexes, which were repaired in it")
