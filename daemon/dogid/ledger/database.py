"""Opening the ledger's database: journal, durability, integrity."""

import contextlib
import logging
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.conditions import LEDGER_DAMAGED, LEDGER_EMPTY, no_ledger
from dogid.errors import UsageError
from dogid.ledger.damage import DamagedLedgerError, UnreadableLedgerError, check_header, is_damage, prevents_opening
from dogid.ledger.reading_connection import ReadingConnection
from dogid.ledger.schema import MIGRATIONS, NewerLedgerError, check_tables, migrate

if TYPE_CHECKING:
    from dogid.ledger.salvage import Salvaged

log = logging.getLogger(__name__)

FILE_NAME = "ledger.db"
NEW = ".new"
"""Appended to the name of a ledger that is about to take the place of another."""
_BUSY_MS = 10_000
_READERS_CACHE_KIB = 256
_QUICK_CHECK_BYTES = 32 << 20  # about 0.1 s of checking; a larger ledger is checked only after an unclean end
_NOTE_SALVAGED = "INSERT OR REPLACE INTO counter VALUES ('salvaged', ?)"


@dataclass(frozen=True, slots=True)
class OpenedDatabase:
    """A connection for writing, and what became of a damaged ledger, if there was one."""

    connection: sqlite3.Connection
    moved_aside: Path | None
    salvaged: "Salvaged | None"
    was_closed: bool
    """Whether the process before has closed it, or there was none."""


def open_for_writing(folder: Path) -> OpenedDatabase:
    """Open (or make) the ledger in folder; one that is damaged is moved aside, and a new one filled with its rows.

    Raise UsageError where a later dogid wrote the ledger, sqlite3.OperationalError where there is no room for it or no
    right to it.
    """
    path = folder / FILE_NAME
    finish_replacement(folder)
    was_closed = not has_log(path)
    try:
        return OpenedDatabase(_open(path), None, None, was_closed)
    except sqlite3.DatabaseError as error:
        if not prevents_opening(error):
            raise  # no room, no rights: another start may find it otherwise
        log.error("the ledger is damaged (%s); its rows are copied into a new one", error)
    aside, salvaged = _replace(path)
    return OpenedDatabase(_open(path), aside, salvaged, was_closed)


def _replace(path: Path) -> "tuple[Path, Salvaged | None]":
    """Make a new ledger of what a damaged one holds; return where that is now, and what was in it."""
    from dogid.ledger.salvage import salvage  # most ledgers are sound

    new = path.with_name(path.name + NEW)
    salvaged = None
    try:
        connection = _open(new)
        try:
            salvaged = salvage(path, connection)
            connection.execute(_NOTE_SALVAGED, (salvaged.results,))
        finally:
            connection.close()
    except (sqlite3.OperationalError, MemoryError):
        _remove(new)
        raise  # no room: the next start tries again
    except Exception:
        log.warning("the damaged ledger could not be read; the new one is made from the folder alone", exc_info=True)
        _remove(new)
        with contextlib.closing(_open(new)) as connection:
            connection.execute(_NOTE_SALVAGED, (0,))
    return _finish_moving(path), salvaged


def finish_replacement(folder: Path) -> None:
    """Complete, or undo, what a process began that ended while it replaced the ledger in folder."""
    path = folder / FILE_NAME
    new = path.with_name(path.name + NEW)
    if not new.exists():
        return
    if path.exists():
        _remove(new)  # it may not be complete
    else:
        _finish_moving(path)


def _finish_moving(path: Path) -> Path:
    """Move a damaged ledger aside and let the new one take its place; return where the damaged one is."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    _mark(path.parent).unlink(missing_ok=True)
    for suffix in ("", "-wal", "-shm"):  # the database first: a start after a crash in between finds it missing
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, aside.with_name(aside.name + suffix))
    os.replace(path.with_name(path.name + NEW), path)
    return aside


def find_moved_aside(folder: Path) -> Path | None:
    """Return the damaged ledger that was moved aside last, as long as it lies in folder; None where none does."""
    names = [path for path in folder.glob(f"{FILE_NAME}.damaged-*") if not path.name.endswith(("-wal", "-shm"))]
    return max(names, default=None)


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def open_for_reading(folder: Path) -> ReadingConnection:
    """Open the ledger for queries only, also while a daemon writes. Raise UsageError where there is none.

    One that an older dogid wrote is read as a copy, as it is now, until the daemon has brought it up to date.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise UsageError(no_ledger(path))
    try:
        address = f"file:{uri_path(path)}?mode=ro"
        # one thread uses it, but another one may close it: the one that drops the last reference
        connection = sqlite3.connect(
            address, uri=True, timeout=_BUSY_MS / 1000, check_same_thread=False, factory=ReadingConnection
        )
        connection.execute("SELECT rows FROM tally").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < len(MIGRATIONS):
            connection = _upgraded_copy(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError) or (isinstance(error, sqlite3.DatabaseError) and is_damage(error)):
            is_empty = path.stat().st_size == 0 and not has_log(path)
            raise UnreadableLedgerError(f"{path}: {LEDGER_EMPTY if is_empty else LEDGER_DAMAGED}") from error
        raise UsageError(f"{path}: cannot read the ledger: {error}") from error
    connection.row_factory = sqlite3.Row
    # each thread that answers has a connection, and with it a cache: the kernel's is there for all
    connection.execute(f"PRAGMA cache_size = -{_READERS_CACHE_KIB}")
    return connection


def _upgraded_copy(connection: ReadingConnection) -> ReadingConnection:
    """Return a copy of an older ledger, brought up to date, in a temporary file, and close the ledger.

    The ledger itself is brought up to date by the daemon alone, which owns it.
    """
    copy = sqlite3.connect(
        "", check_same_thread=False, factory=ReadingConnection
    )  # a file that SQLite deletes with the connection
    with contextlib.closing(connection):
        connection.backup(copy)
    migrate(copy)
    return copy


def open_for_changes(folder: Path) -> sqlite3.Connection:
    """Open the ledger for writing beside the daemon that may own it. Raise sqlite3.OperationalError, or UsageError
    where an older dogid wrote it.
    """
    address = f"file:{uri_path(folder / FILE_NAME)}?mode=rw"
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
    with contextlib.closing(sqlite3.connect(f"file:{uri_path(folder / FILE_NAME)}?mode=ro", uri=True)) as present:
        (version,) = present.execute("PRAGMA user_version").fetchone()
    return bool(version >= len(MIGRATIONS))


def _open(path: Path, *, check: bool = True) -> sqlite3.Connection:
    check_header(path)
    mark = _mark(path.parent)
    unclean = has_log(path)
    if path.exists() and path.stat().st_size == 0:
        if unclean:  # SQLite would delete the log
            raise DamagedLedgerError("it is an empty file, beside a log that is not")
        log.warning("%s: %s", path, LEDGER_EMPTY)
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # what is deleted is overwritten: a result that was forgotten is not found in the file, nor salvaged from it
        connection.execute("PRAGMA secure_delete = ON")
        is_suspicious = unclean or mark.exists() or path.stat().st_size < _QUICK_CHECK_BYTES
        if check and path.stat().st_size and is_suspicious:
            _check(connection, thoroughly=mark.exists())
            connection.execute("PRAGMA shrink_memory")  # a check fills the cache with pages that are not needed again
            mark.unlink(missing_ok=True)
        migrate(connection)
        check_tables(connection)
    except NewerLedgerError as error:
        connection.close()
        raise UsageError(
            f"{path}: written by a newer dogid: {error}; install the newer dogid again, or give another --state"
        ) from error
    except UnicodeDecodeError as error:
        connection.close()
        raise DamagedLedgerError("an error of SQLite quotes damaged text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def has_log(path: Path) -> bool:
    """Whether there is a write-ahead log, as only a process leaves that was killed, or lost its power."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _check(connection: sqlite3.Connection, *, thoroughly: bool) -> None:
    """Raise DamagedLedgerError where pages are damaged, or, thoroughly, where an index disagrees with its table."""
    (verdict,) = connection.execute(f"PRAGMA {'integrity' if thoroughly else 'quick'}_check(1)").fetchone()
    if verdict != "ok":
        found = "; ".join(verdict.split("\n"))
        raise DamagedLedgerError(f"database disk image is malformed: {found}")


def suspect(folder: Path) -> None:
    """Have the ledger in folder checked when it is opened next, however large it is and however it was closed."""
    with contextlib.suppress(OSError):  # the disk may be what is broken
        _mark(folder).touch()


def open_unchecked(folder: Path) -> sqlite3.Connection:
    """Open the ledger in folder for writing, brought up to date, without reading all of it: `ledger/copy_check` does.

    Raise UsageError where a later dogid wrote it, sqlite3.DatabaseError where damage is met nevertheless.
    """
    return _open(folder / FILE_NAME, check=False)


def unsuspect(folder: Path) -> None:
    """Let the ledger in folder no longer count as damaged: another has taken its place."""
    _mark(folder).unlink(missing_ok=True)


def is_suspected(folder: Path) -> bool:
    """Whether the ledger in folder was found damaged, and has not been opened again since."""
    return _mark(folder).exists()


def _mark(folder: Path) -> Path:
    return folder / f"{FILE_NAME}.suspect"


def uri_path(path: Path) -> str:
    """Return a path as SQLite's file: addresses have it."""
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
