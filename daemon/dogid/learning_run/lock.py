"""One learning run at a time in a state folder, whoever starts it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dogid.errors import ConflictError
from dogid.shelf.folder import shelf_folder

_FILE = ".learning.lock"


@contextlib.contextmanager
def learning_alone(state: Path) -> Iterator[None]:
    """Let no other learning run begin in a state folder. Raise ConflictError where one is under way, OSError."""
    descriptor = _open(state)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(f"{state}: another learning run is under way; wait for its report") from None
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


def _open(state: Path) -> int:
    folder = shelf_folder(state)
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
