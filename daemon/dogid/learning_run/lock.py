"""One learning run at a time in a state folder, a command or the daemon."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dogid.errors import ConflictError
from dogid.shelf.folder import shelf_folder
from dogid.system.file_lock import holding_file_lock, is_file_locked

_FILE = ".learning.lock"
ANOTHER_RUNS = "another learning run is under way"
"""What the message of a run has that could not begin for another one."""
_LOOKING_SECONDS = 0.2  # that `is_learning` of another process may hold the lock; less takes it for a run


@contextlib.contextmanager
def learning_alone(state: Path) -> Iterator[None]:
    """Let no other learning run begin in a state folder. Raise ConflictError where one is under way, OSError."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding_file_lock(shelf_folder(state) / _FILE, _LOOKING_SECONDS))
        except BlockingIOError:
            raise ConflictError(f"{state}: {ANOTHER_RUNS}; wait for its report") from None
        yield


def is_learning(state: Path) -> bool:
    """Whether a learning run is under way in a state folder."""
    return is_file_locked(shelf_folder(state) / _FILE)
