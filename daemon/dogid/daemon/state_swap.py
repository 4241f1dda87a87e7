"""Putting a ledger and models in the place of those of a state folder, completed or undone wherever it was interrupted.

All that comes lies complete in one folder, whose name says that the swap has begun. From then on each file of it is
either there still, or in its place; and each former file in its place, or in the folder that keeps it.
"""

import contextlib
import logging
import os
import shlex
import shutil
from pathlib import Path

from dogid.daemon.folders import READY, UNPACKED, left_over, lock_state
from dogid.ledger.database import FILE_NAME, finish_replacement, unsuspect
from dogid.outputs import store_schema as outputs_schema

log = logging.getLogger(__name__)

_KEPT = "before-restore-"
_MODELS = "models"
_OUTPUTS = outputs_schema.FILE_NAME
_OF_THE_LEDGER = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", "in-hand")  # ids of photos: `pipeline/in_progress`


def swap_state(state: Path, unpacked: Path) -> Path | None:
    """Move what is in a state folder aside, and what is in a folder of it, named UNPACKED and a date, in its place.

    Return where the former is; None where there was nothing. Raise OSError where it is as before. The caller has locked
    the state folder.
    """
    finish_replacement(state)
    (unpacked / _MODELS).mkdir(exist_ok=True)
    for folder, _, _ in os.walk(unpacked):
        _sync(Path(folder))
    ready = state / f"{READY}{unpacked.name.removeprefix(UNPACKED)}"
    unpacked.rename(ready)
    _sync(state)
    return _complete_or_undo(state, ready)


def finish_swap(state: Path) -> None:
    """Complete the swap in which a process has ended, and remove what one left that had not begun it.

    Raise OSError where it can be neither completed nor undone; UsageError where another process uses the folder.
    """
    lock = lock_state(state)
    try:
        finish_begun_swaps(state)
        remove_unpacked(state)
    finally:
        os.close(lock)


def finish_begun_swaps(state: Path) -> None:
    """Complete the swap in which a process has ended. Raise OSError. The caller has locked the state folder."""
    for path in left_over(state):
        if path.name.startswith(READY):
            _finish(state, path)


def _finish(state: Path, ready: Path) -> None:
    try:
        _complete_or_undo(state, ready)
    except OSError as error:
        if ready.exists():
            raise
        log.error("the restore that was interrupted could not be completed: %s; all is as it was before it", error)
    else:
        log.warning("completed the restore of a backup that was interrupted")


def remove_unpacked(state: Path) -> None:
    """Remove what was unpacked and is not needed any more. The caller has locked the state folder."""
    for path in left_over(state):
        if path.name.startswith(UNPACKED):
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                log.warning(
                    "%s: left by a restore, and cannot be removed; try: sudo rm -r %s", path, shlex.quote(str(path))
                )


def _complete_or_undo(state: Path, ready: Path) -> Path | None:
    kept = state / f"{_KEPT}{ready.name.removeprefix(READY)}"
    try:
        _complete(state, ready, kept)
    except OSError:
        _undo(state, ready, kept)
        raise
    shutil.rmtree(ready, ignore_errors=True)  # it is empty
    with contextlib.suppress(OSError):
        (state / _MODELS).rmdir()  # where the backup had none
    _sync(state)
    if any(kept.iterdir()):
        return kept
    kept.rmdir()
    return None


def _complete(state: Path, ready: Path, kept: Path) -> None:
    kept.mkdir(exist_ok=True)
    if (ready / _OUTPUTS).exists():  # there was none in the state folder; it stays there where all else is undone
        _move(state / f"{_OUTPUTS}-wal", kept / f"{_OUTPUTS}-wal")
        _move(ready / _OUTPUTS, state / _OUTPUTS)
    for first, names in ((_MODELS, (_MODELS,)), (FILE_NAME, _OF_THE_LEDGER)):
        if (ready / first).exists():  # else what is in its place came from there
            for name in names:
                _move(state / name, kept / name)
            _move(ready / first, state / first)
    unsuspect(state)


def _undo(state: Path, ready: Path, kept: Path) -> None:
    for name in (FILE_NAME, _MODELS):
        if not (ready / name).exists():
            _move(state / name, ready / name)
    for path in list(kept.iterdir()) if kept.exists() else ():
        _move(path, state / path.name)
    ready.rename(state / f"{UNPACKED}{ready.name.removeprefix(READY)}")  # nothing completes it from here on
    with contextlib.suppress(OSError):
        kept.rmdir()


def _move(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        source.rename(target)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where its file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
