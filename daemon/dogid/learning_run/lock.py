"""One learning run at a time in a state folder, whoever starts it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from dogid.errors import ConflictError
from dogid.shelf.folder import shelf_folder

_FILE = ".learning.lock"
_LOOKING_SECONDS = 0.2  # that `is_learning` of another process may hold the lock; less takes it for a run
_RETRY_SECONDS = 0.005


@contextlib.contextmanager
def learning_alone(state: Path) -> Iterator[None]:
    """Let no other learning run begin in a state folder. Raise ConflictError where one is under way, OSError."""
    descriptor = _open(state)
    try:
        deadline = time.monotonic() + _LOOKING_SECONDS
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise ConflictError(f"{state}: another learning run is under way; wait for its report")
            time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def is_learning(state: Path) -> bool:
    """Whether a learning run is under way in a state folder."""
    try:
        descriptor = os.open(shelf_folder(state) / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(state: Path) -> int:
    folder = shelf_folder(state)
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
