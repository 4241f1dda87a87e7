"""Writing a backup, also beside a daemon that runs and writes."""

import contextlib
import errno
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dogid import __version__
from dogid.backup.archive import (
    MANIFEST,
    MODELS,
    MOST_FILES,
    OUTPUTS,
    ArchivedFile,
    Manifest,
    OnProgress,
    add,
    is_model_name,
)
from dogid.clock import Clock, iso_utc
from dogid.conditions import LEDGER_DAMAGED
from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line
from dogid.ledger.copy_check import open_sound_copy
from dogid.ledger.damage import is_damage
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.outputs.store_file import copy_store
from dogid.shelf.folder import ENDING

_PAGES = 2000  # of 4 KiB that are copied between two reports of progress
_LEVEL = 1  # of zlib: higher takes several times as long for a tenth of the size


def write_backup(
    state: Path, target: Path, *, force: bool, on_progress: OnProgress, inbox: Path | None = None
) -> Manifest:
    """Write ledger and models of a state folder into the file target, whole or not at all.

    The ledger is as it was at one moment, whatever a daemon writes meanwhile; damaged rows and indexes are repaired in
    the backup, where a file in inbox decides between two names of a photo. Only the user who writes the backup can
    read it. Raise UsageError where there is no ledger, target exists and force is false, or a model has a name that no
    restore would take; DogidError where the ledger is damaged, or target cannot be written.
    """
    _check_target(target, state, force=force)
    _find_models(state)  # refuses early what no restore would take
    source = open_for_reading(state)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            copy, packed = Path(folder) / FILE_NAME, Path(folder) / "archive"
            # before the ledger: outputs have read no further than to what it has then
            copy_store(state, Path(folder) / OUTPUTS)
            results = _copy_ledger(source, copy, state, inbox, on_progress)
            with _create_private(packed) as out, zipfile.ZipFile(out, "w", compresslevel=_LEVEL) as archive:
                with copy.open("rb") as file:
                    files = [add(archive, FILE_NAME, file, on_progress)]
                if (Path(folder) / OUTPUTS).exists():
                    with (Path(folder) / OUTPUTS).open("rb") as file:
                        files.append(add(archive, OUTPUTS, file, on_progress))
                files += _add_models(archive, state, _find_models(state), on_progress)
                manifest = Manifest(iso_utc(Clock().wall_ms()), __version__, results, tuple(files))
                archive.writestr(MANIFEST, manifest.encode())
            _publish(packed, target, force=force)
    except (OSError, sqlite3.OperationalError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise DogidError(f"{target}: the backup cannot be written: {reason}; nothing was left there") from error
    finally:
        source.close()
    return manifest


def measure(state: Path) -> int:
    """Return how many bytes a backup reads, about: for the progress of `write_backup`, which reports twice as many."""
    ledger = state / FILE_NAME
    size = 0
    for path in (ledger, ledger.with_name(f"{FILE_NAME}-wal"), *_walk_models(state)):
        with contextlib.suppress(OSError):  # the daemon may remove one meanwhile
            size += path.stat().st_size
    return size


def _create_private(path: Path) -> IO[bytes]:
    """Open a new file for writing that only its owner can read, as the ledger itself."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _check_target(target: Path, state: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} is missing; make it first, or mount its disk")
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file in it")
    if target.parent.resolve().is_relative_to((state / MODELS).resolve()):
        raise UsageError(
            f"{target}: lies among the models, which are backed up; name a file outside of {state / MODELS}"
        )
    if target.exists() and not force:
        raise UsageError(f"{target}: exists; name another file, or replace it with --force")


def _copy_ledger(
    source: sqlite3.Connection, copy: Path, state: Path, inbox: Path | None, on_progress: OnProgress
) -> int:
    """Copy a ledger as it is now; return how many results it has. Raise DogidError where its pages are damaged."""
    page_size = int(source.execute("PRAGMA page_size").fetchone()[0])
    left: list[int] = []

    def report(_: int, remaining: int, total: int) -> None:
        on_progress(((left[-1] if left else total) - remaining) * page_size)
        left.append(remaining)

    try:
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            source.execute("BEGIN")  # one moment for all pages: else the copy begins anew at each result that comes
            source.execute("SELECT 1 FROM photo LIMIT 1").fetchone()
            try:
                source.backup(db, pages=_PAGES, progress=report, sleep=0)
            finally:
                source.execute("ROLLBACK")
        with contextlib.closing(open_sound_copy(copy.parent, inbox)) as db:  # the check of a restore, which it passes
            db.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
            query = "SELECT sum(rows) FROM tally WHERE state IN ('classified', 'failed')"
            (results,) = db.execute(query).fetchone()
    except UsageError as error:  # of a later dogid
        raise UsageError(str(error).replace(str(copy), str(state / FILE_NAME))) from error
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise DogidError(f"{state / FILE_NAME}: {LEDGER_DAMAGED}; back up after that") from error
    return int(results)


def _walk_models(state: Path) -> Iterator[Path]:
    """Yield the regular files of the folder of models that are complete: hidden ones are being written."""
    for folder, folders, names in os.walk(state / MODELS):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if not (name.startswith(".") or path.is_symlink()) and path.is_file():
                yield path


def _find_models(state: Path) -> list[Path]:
    """Return the files to back up of the folder of models. Raise UsageError where a restore would refuse one."""
    found = list(_walk_models(state))
    for path in found:
        if not is_model_name(path.relative_to(state).as_posix()):
            raise UsageError(
                f"{one_line(str(path))}: cannot be in a backup: its name has other characters than letters, digits and"
                f" signs, or it lies too deep; rename it, or move it out of {state / MODELS}"
            )
    if len(found) >= MOST_FILES:
        raise UsageError(f"{state / MODELS}: has more than {MOST_FILES} files; move what is no model out of it")
    return found


def _add_models(
    archive: zipfile.ZipFile, state: Path, models: list[Path], on_progress: OnProgress
) -> Iterator[ArchivedFile]:
    """Pack models; one that was removed meanwhile is left out."""
    # what says which one is active comes first: the models that it names are there after it as well
    for path in sorted(models, key=lambda path: path.suffix == ENDING):
        try:
            with path.open("rb") as file:
                yield add(archive, path.relative_to(state).as_posix(), file, on_progress)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DogidError(f"{one_line(str(path))}: cannot be read: {error.strerror}") from error


def _publish(packed: Path, target: Path, *, force: bool) -> None:
    """Give a file that is complete its name, once it is on the disk."""
    with packed.open("rb") as file:
        os.fsync(file.fileno())
    if force:
        packed.replace(target)
    else:
        try:
            os.link(packed, target)  # fails where somebody else has made the file meanwhile
        except FileExistsError:
            raise UsageError(f"{target}: exists; name another file, or replace it with --force") from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            packed.replace(target)  # FAT has no links
    with contextlib.suppress(OSError):  # some network file systems cannot sync folders
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
