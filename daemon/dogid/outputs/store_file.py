"""The file of what outputs remember: opened, made or brought up to date, and copied; and why it cannot be."""

import contextlib
import secrets
import sqlite3
from pathlib import Path

from dogid.errors import UsageError
from dogid.outputs.store_schema import FILE_NAME, SCHEMA, UPGRADES, VERSION

BUSY_SECONDS = 10.0
_CACHE_KIB = 256


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database, which is made where there is none. Raise UsageError, sqlite3.DatabaseError."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON")  # as in the ledger
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # forced to the disk, as by default: ids begin with what is drawn
            rest = f"INSERT INTO stream VALUES ('{draw_stream()}');\nPRAGMA user_version = {VERSION}"  # noqa: S608
            connection.executescript(f"BEGIN IMMEDIATE;\n{SCHEMA}\n{rest};\nCOMMIT;")
        elif version > VERSION:
            raise UsageError(f"{path}: written by a newer dogid; install that again, or move the file away")
        elif connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages are damaged")
        for former in range(version or VERSION, VERSION):
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{UPGRADES[former]}\nPRAGMA user_version = {former + 1};\nCOMMIT;"
            )
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def draw_stream() -> str:
    """Return a new beginning for the ids of deliveries."""
    return secrets.token_hex(4)


def copy_store(state: Path, target: Path) -> None:
    """Copy what outputs remember, where there is something, into a file; a daemon that opens that gives other ids.

    Raise sqlite3.Error.
    """
    path = state / FILE_NAME
    if not path.exists():
        return
    with (
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        source.backup(copy)
        copy.execute("UPDATE stream SET id = ''")
        copy.execute("PRAGMA journal_mode = DELETE")  # all of it in one file


def explain_store_fault(error: sqlite3.Error) -> str:
    """Return for people why a database in the state folder cannot be used, and the way out."""
    way_out = "; is the disk of the state folder full?" if isinstance(error, sqlite3.OperationalError) else ""
    return f"{FILE_NAME} or the ledger cannot be read or written: {error}{way_out}"
