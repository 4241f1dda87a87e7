"""Restoring a backup into a state folder, with what was there before kept as the way back."""

import contextlib
import os
import shutil
import sqlite3
import stat
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dogid.backup.archive import OUTPUTS, Manifest, OnProgress, damaged, extract, read_manifest
from dogid.conditions import stop_first
from dogid.daemon.folders import LOCK_FILE, READY, UNPACKED, claim_state_path, is_running, left_over, lock_state
from dogid.daemon.state_swap import finish_begun_swaps, remove_unpacked, swap_state
from dogid.errors import DogidError, UsageError
from dogid.ledger.copy_check import open_sound_copy
from dogid.ledger.database import FILE_NAME
from dogid.ledger.salvage import LastNumbers, find_last_numbers
from dogid.system.owner import acting_as_owner

_SPARE_BYTES = 10_000_000  # that stay free on the disk, at least
_MODE = 0o640  # of a ledger where there was none: as the service makes it


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    kept: Path | None
    """The folder with what was there before; None where there was nothing, or nothing was changed."""


def restore_backup(
    path: Path, state: Path, *, dry_run: bool, on_progress: OnProgress, inbox: Path | None = None
) -> Restored:
    """Put the ledger and the models of a backup into a state folder; with dry_run only check that it would work.

    inbox: where a file decides between two names that a damaged ledger has for a photo.

    Raise UsageError where the backup cannot be read, or a daemon runs on the folder; DogidError where the backup is
    damaged, of a newer dogid, or there is no room. Nothing is changed then. Killed in between, the next start of the
    daemon completes it, or removes what was unpacked.
    """
    if is_running(state):
        raise UsageError(f"{state}: a daemon runs on this state folder; {stop_first(state)}")
    claim = claim_state_path(state)
    if claim is None:
        raise UsageError(
            f"{state}: a daemon runs whose state folder was here, and was moved away or removed; {stop_first(state)}"
        )
    try:
        return _restore(path, state, inbox, dry_run=dry_run, on_progress=on_progress)
    finally:
        os.close(claim)


def _restore(path: Path, state: Path, inbox: Path | None, *, dry_run: bool, on_progress: OnProgress) -> Restored:
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
            stack.enter_context(acting_as_owner(state))
            state.mkdir(parents=True, exist_ok=True)
            if dry_run and made:
                stack.callback(state.rmdir)
            lock = lock_state(state)
            stack.callback(os.close, lock)
            if dry_run and made:
                stack.callback((state / LOCK_FILE).unlink)
            if not dry_run:
                finish_begun_swaps(state)  # else the next start would put its ledger in the place of this one
                remove_unpacked(state)  # a full copy of each that was killed: there may be no room beside them
            _check_room(state, manifest)
            unpacked = state / f"{UNPACKED}{datetime.now(UTC).strftime('%Y%m%dT%H%M%S.%fZ')}"
            unpacked.mkdir(mode=0o700)
            stack.callback(remove_unpacked, state)
            for file in manifest.files:
                if file.name == OUTPUTS and (state / OUTPUTS).exists():
                    continue  # the present one knows better what was sent
                extract(path, archive, file, unpacked / file.name, on_progress)
            _prepare_ledger(path, state, unpacked, inbox)
            if dry_run:
                return Restored(manifest, None)
            _fold_log(state / FILE_NAME)
            return Restored(manifest, swap_state(state, unpacked))
        except (OSError, sqlite3.OperationalError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            is_undone = not any(path.name.startswith(READY) for path in left_over(state))
            outcome = "the ledger is as before" if is_undone else "half of it is there; the next start completes it"
            raise DogidError(f"{state}: the backup cannot be restored: {reason}; {outcome}") from error


def _check_room(state: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(state).free
    if free < manifest.size + _SPARE_BYTES:
        needed = (manifest.size + _SPARE_BYTES) / 1e6
        raise DogidError(f"{state}: {needed:.0f} MB are needed and {free / 1e6:.0f} MB are free; nothing was changed")


def _prepare_ledger(path: Path, state: Path, unpacked: Path, inbox: Path | None) -> None:
    """Check and repair a ledger that was unpacked, and let it give no id that the one in the state folder has given."""
    try:
        db = open_sound_copy(unpacked, inbox)
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
    present = state / FILE_NAME
    mode = stat.S_IMODE(present.stat().st_mode) & 0o666 if present.exists() else _MODE
    (unpacked / FILE_NAME).chmod(mode)


def _last_numbers(ledger: Path) -> LastNumbers:
    try:
        return find_last_numbers(ledger)
    except PermissionError:
        raise  # it may be sound
    except OSError:
        return LastNumbers()


def _fold_log(ledger: Path) -> None:
    """Write what is in the write-ahead log into the database, so that it is whole by itself, if it can be opened."""
    if not ledger.exists():
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
