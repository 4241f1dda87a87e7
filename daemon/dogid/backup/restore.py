"""Restoring a backup into a state folder, with what was there before kept as the way back."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dogid.backup.archive import MODELS, Manifest, OnProgress, damaged, extract, read_manifest
from dogid.daemon.folders import is_running, lock_state
from dogid.errors import DogidError, UsageError
from dogid.ledger.database import FILE_NAME, NEW, finish_replacement, open_checked, unsuspect
from dogid.ledger.salvage import LastNumbers, find_last_numbers

_SPARE_BYTES = 10_000_000  # that stay free on the disk, at least
_IN_PROGRESS = "in-hand"  # ids of photos of the ledger before: `pipeline/in_progress`


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    kept: Path | None
    """The folder with what was there before; None where there was nothing, or nothing was changed."""


def restore_backup(path: Path, state: Path, *, dry_run: bool, on_progress: OnProgress) -> Restored:
    """Put the ledger and the models of a backup into a state folder; with dry_run only check that it would work.

    Raise UsageError where the backup cannot be read, or a daemon runs on the folder; DogidError where the backup is
    damaged, of a newer dogid, or there is no room. Nothing is changed then.
    """
    if is_running(state):
        raise UsageError(f"{state}: a daemon runs on this state folder; stop it first: sudo systemctl stop dogid")
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise damaged(path, error) from error
    made = not state.exists()
    with archive, contextlib.ExitStack() as stack:
        manifest = read_manifest(path, archive)
        try:
            state.mkdir(parents=True, exist_ok=True)
            if dry_run and made:
                stack.callback(state.rmdir)
            lock = lock_state(state)
            stack.callback(os.close, lock)
            if dry_run and made:
                stack.callback((state / "dogid.lock").unlink)
            _check_room(state, manifest)
            staged = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=state, prefix=".restore-")))
            for file in manifest.files:
                extract(path, archive, file, staged / file.name, on_progress)
            _prepare_ledger(path, state, staged)
            if dry_run:
                return Restored(manifest, None)
            _adopt_owner(state, staged)
            return Restored(manifest, _swap(state, staged))
        except (OSError, sqlite3.OperationalError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            raise DogidError(f"{state}: the backup cannot be restored: {reason}; the ledger is as before") from error


def _check_room(state: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(state).free
    if free < manifest.size + _SPARE_BYTES:
        needed = (manifest.size + _SPARE_BYTES) / 1e6
        raise DogidError(f"{state}: {needed:.0f} MB are needed and {free / 1e6:.0f} MB are free; nothing was changed")


def _prepare_ledger(path: Path, state: Path, staged: Path) -> None:
    """Check a ledger that was unpacked, and let it give no id that the one in the state folder has given."""
    try:
        db = open_checked(staged)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error
    with contextlib.closing(db):
        last = _last_numbers(state / FILE_NAME)
        last_id = max(last.id or 0, last.reserved or 0)
        db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'photo'", (last_id,))
        db.execute("UPDATE counter SET value = max(value, ?) WHERE name = 'reserved'", (last_id,))
        db.execute("UPDATE counter SET value = max(value, ?) WHERE name = 'seq'", (last.seq or 0,))


def _last_numbers(ledger: Path) -> LastNumbers:
    try:
        return find_last_numbers(ledger)
    except OSError:
        return LastNumbers()


def _adopt_owner(state: Path, staged: Path) -> None:
    """Let files that root unpacks belong to the user whose state folder it is."""
    if os.geteuid() != 0:
        return
    owner = state.stat()
    for folder, _, names in os.walk(staged):
        for name in ("", *names):
            os.chown(Path(folder) / name, owner.st_uid, owner.st_gid)


def _swap(state: Path, staged: Path) -> Path | None:
    """Move what is there aside, and what was unpacked to its place; return where the former is.

    Ended in between, a start of the daemon completes it as it does for a damaged ledger.
    """
    ledger = state / FILE_NAME
    finish_replacement(state)
    _fold_log(ledger)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = state / f"before-restore-{stamp}"
    kept.mkdir()
    with contextlib.suppress(FileNotFoundError):
        (state / MODELS).rename(kept / MODELS)
    with contextlib.suppress(FileNotFoundError):
        (staged / MODELS).rename(state / MODELS)
    (staged / FILE_NAME).rename(state / f"{FILE_NAME}{NEW}")
    for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", _IN_PROGRESS):
        with contextlib.suppress(FileNotFoundError):
            (state / name).rename(kept / name)
    (state / f"{FILE_NAME}{NEW}").rename(ledger)
    unsuspect(state)
    if not any(kept.iterdir()):
        kept.rmdir()
        return None
    return kept


def _fold_log(ledger: Path) -> None:
    """Write what is in the write-ahead log into the database, so that it is whole by itself, if it can be opened."""
    if not ledger.exists():
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
