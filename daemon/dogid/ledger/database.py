"""Opening the ledger's database: journal, durability, integrity."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dogid.errors import UsageError
from dogid.ledger.schema import MIGRATIONS, NewerLedgerError, migrate

FILE_NAME = "ledger.db"
_BUSY_MS = 10_000
_READERS_CACHE_KIB = 256
_QUICK_CHECK_BYTES = 32 << 20  # about 0.1 s of checking; a larger ledger is checked only after an unclean end


@dataclass(frozen=True, slots=True)
class OpenedDatabase:
    """A connection for writing, and what became of a damaged ledger, if there was one."""

    connection: sqlite3.Connection
    moved_aside: Path | None


def open_for_writing(folder: Path) -> OpenedDatabase:
    """Open (or make) the ledger in folder; one that is damaged is moved aside, and a new one begun.

    Raise UsageError where a later dogid wrote the ledger, sqlite3.OperationalError where there is no room for it or no
    right to it.
    """
    path = folder / FILE_NAME
    try:
        return OpenedDatabase(_open(path), None)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise  # no room, no rights: another start may find it otherwise
    aside = _move_aside(path)
    return OpenedDatabase(_open(path), aside)


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the ledger for queries only, also while a daemon writes. Raise UsageError where there is none.

    One that an older dogid wrote is read as a copy, as it is now, until the daemon has brought it up to date.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise UsageError(
            f"{path}: there is no ledger of results; run this where the daemon was started, or give its --state DIR;"
            " if it has not run yet: dogid run, or sudo systemctl start dogid"
        )
    try:
        address = f"file:{_uri_path(path)}?mode=ro"
        # one thread uses it, but another one may close it: the one that drops the last reference
        connection = sqlite3.connect(address, uri=True, timeout=_BUSY_MS / 1000, check_same_thread=False)
        connection.execute("SELECT rows FROM tally").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < len(MIGRATIONS):
            connection = _upgraded_copy(connection)
    except sqlite3.Error as error:
        raise UsageError(f"{path}: cannot read the ledger: {error}") from error
    connection.row_factory = sqlite3.Row
    # each thread that answers has a connection, and with it a cache: the kernel's is there for all
    connection.execute(f"PRAGMA cache_size = -{_READERS_CACHE_KIB}")
    return connection


def _upgraded_copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a copy of an older ledger, brought up to date, in a temporary file, and close the ledger.

    The ledger itself is brought up to date by the daemon alone, which owns it.
    """
    copy = sqlite3.connect("", check_same_thread=False)  # a file that SQLite deletes with the connection
    with contextlib.closing(connection):
        connection.backup(copy)
    migrate(copy)
    return copy


def open_for_changes(folder: Path) -> sqlite3.Connection:
    """Open the ledger for writing beside the daemon that may own it. Raise sqlite3.OperationalError, or UsageError
    where an older dogid wrote it.
    """
    address = f"file:{_uri_path(folder / FILE_NAME)}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_MS / 1000)
    connection.execute("PRAGMA foreign_keys = ON")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < len(MIGRATIONS):
        connection.close()
        raise UsageError(f"{folder / FILE_NAME}: written by an older dogid; start the daemon once, which updates it")
    return connection


def is_outdated(folder: Path, connection: sqlite3.Connection) -> bool:
    """Whether a connection from `open_for_reading` shows a copy of an older ledger that is up to date by now."""
    (_, _, file), *_ = connection.execute("PRAGMA database_list").fetchall()
    if file:
        return False
    with contextlib.closing(sqlite3.connect(f"file:{_uri_path(folder / FILE_NAME)}?mode=ro", uri=True)) as present:
        (version,) = present.execute("PRAGMA user_version").fetchone()
    return bool(version >= len(MIGRATIONS))


def _open(path: Path) -> sqlite3.Connection:
    mark = _mark(path.parent)
    log = path.with_name(path.name + "-wal")
    unclean = log.exists() and log.stat().st_size > 0
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if path.stat().st_size and (unclean or mark.exists() or path.stat().st_size < _QUICK_CHECK_BYTES):
            _check(connection)
            connection.execute("PRAGMA shrink_memory")  # a check fills the cache with pages that are not needed again
            mark.unlink(missing_ok=True)
        migrate(connection)
    except NewerLedgerError as error:
        connection.close()
        raise UsageError(
            f"{path}: written by a newer dogid: {error}; install the newer dogid again, or give another --state"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"database disk image is malformed: {verdict}")


def suspect(folder: Path) -> None:
    """Have the ledger in folder checked when it is opened next, however large it is and however it was closed."""
    with contextlib.suppress(OSError):  # the disk may be what is broken
        _mark(folder).touch()


def _mark(folder: Path) -> Path:
    return folder / f"{FILE_NAME}.suspect"


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether an error means a damaged database, and not of a full disk or a busy one."""
    text = str(error)
    return "malformed" in text or "not a database" in text or "no such table" in text or "already exists" in text


def _move_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    _mark(path.parent).unlink(missing_ok=True)
    for suffix in ("-wal", "-shm", ""):  # the database itself last, so that a crash in between finds damage again
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, aside.with_name(aside.name + suffix))
    return aside


def _uri_path(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
