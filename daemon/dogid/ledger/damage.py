"""Distinguishing a damaged database from a full disk, missing rights or a busy one."""

import sqlite3
from pathlib import Path

from dogid.errors import UsageError

_HEADER_VERSIONS = slice(18, 20)  # of the file format, for writing and for reading; 2 is the newest: WAL
_NEWEST_VERSION = 2
_OUTSIDE = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""Primary result codes of errors whose cause lies outside the database: https://sqlite.org/rescode.html."""
_MESSAGES = (
    "malformed",
    "not a database",
    "no such table",
    "no such column",
    "already exists",
    "unsupported file format",
)
_MESSAGES_OF_CONTENTS = (
    "constraint failed",
    "value in ",
    "missing from index",
    "entries in index",
    "non-unique entry in index",
    "rowid not at end-of-record",
)
"""Of the check: https://sqlite.org/pragma.html#pragma_integrity_check."""


class DamagedLedgerError(sqlite3.DatabaseError):
    """The database is damaged in a way that SQLite itself does not find."""


class DamagedRowError(DamagedLedgerError):
    """A row of the table `photo` has values that no dogid writes."""


class DamagedIndexError(DamagedLedgerError):
    """An index disagrees with its table."""


class UnreadableLedgerError(UsageError):
    """The ledger cannot be opened for reading, as it is damaged."""


def is_of_index(error: sqlite3.DatabaseError) -> bool:
    """Whether an error can mean that an index disagrees with its table, which is made anew then."""
    if isinstance(error, DamagedIndexError | sqlite3.IntegrityError):
        return True
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CORRUPT_INDEX


def is_of_contents(verdict: str) -> bool:
    """Whether what SQLite's check has found lies in rows and indexes; it looks at the pages of all of them before."""
    return any(message in verdict for message in _MESSAGES_OF_CONTENTS)


def is_undecodable(error: sqlite3.Error) -> bool:
    """Whether an error means that a text is not UTF-8, as none is that dogid writes: a row is damaged."""
    return "Could not decode to UTF-8" in str(error)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether an error means a damaged database, and not a full disk or a busy one."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, DamagedLedgerError | sqlite3.IntegrityError) or is_undecodable(error):
        return True  # no row that dogid writes breaks a constraint
    if code is not None and code & 0xFF in _OUTSIDE:
        return False
    return any(message in str(error) for message in _MESSAGES)


def prevents_opening(error: sqlite3.DatabaseError) -> bool:
    """Whether an error of opening a database, or of migrating it, means damage: all that is not outside of it."""
    code = getattr(error, "sqlite_errorcode", None)
    return is_damage(error) or (code is not None and code & 0xFF not in _OUTSIDE)


def check_header(path: Path) -> None:
    """Raise DamagedLedgerError where the header has a version of the file format that makes SQLite refuse to write."""
    try:
        with path.open("rb") as file:
            versions = file.read(100)[_HEADER_VERSIONS]
    except FileNotFoundError:
        return
    if any(version > _NEWEST_VERSION for version in versions):
        raise DamagedLedgerError("the header has a version of the file format that does not exist")
