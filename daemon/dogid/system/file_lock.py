"""A lock between processes, by a file that stays: it is free again when its holder ends, however that ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_RETRY_SECONDS = 0.005


@contextlib.contextmanager
def holding_file_lock(path: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of a file, which is made where it is missing, while the context lasts.

    patience: seconds to wait for another holder. Raise BlockingIOError where there is still one, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + patience
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise BlockingIOError(f"{path} is locked")
            time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def is_file_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file, which need not be there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
