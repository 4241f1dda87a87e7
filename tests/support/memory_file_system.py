"""A file system in memory, for files that only processes die with."""

import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "dogid-tests-"
_ROOM = 64_000_000  # bytes; a ledger of a test takes up to 9 MB, and several processes run tests at once
_ABANDONED_SECONDS = 86_400.0  # no run takes as long; a folder that is older was left by a killed one


@contextlib.contextmanager
def memory_folder(memory: Path = Path("/dev/shm"), room: int = _ROOM) -> Iterator[Path]:
    """Make a folder in memory while the context lasts: small ledgers take a fraction of the time there.

    memory: where it is made; where that cannot be written, or has no more than room bytes free, among the usual
    temporary files.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_usable(memory, room)) as folder:
        yield Path(folder)


def _usable(memory: Path, room: int) -> Path | None:
    if not (memory.is_dir() and os.access(memory, os.W_OK | os.X_OK, effective_ids=True)):
        return None
    _remove_abandoned(memory)
    return memory if shutil.disk_usage(memory).free > room else None


@functools.cache  # at the first use is enough
def _remove_abandoned(memory: Path) -> None:
    """Remove the folders that killed runs of this user left."""
    before = time.time() - _ABANDONED_SECONDS
    for folder in memory.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another run removed it
            status = folder.lstat()
            if status.st_uid == os.getuid() and status.st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
