"""The daemon's two folders: the inbox that it reads, and the state folder that one daemon at a time may use."""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import socket
import time
from pathlib import Path

from dogid.conditions import hidden_home, state_in_use
from dogid.daemon.condition_monitor import read_url
from dogid.errors import UnavailableError, UsageError
from dogid.file_names import quote_for_shell
from dogid.system.file_lock import is_file_locked

log = logging.getLogger(__name__)

_LASTING = frozenset({errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
LOCK_FILE = "dogid.lock"
"""In the state folder; locked while a daemon uses it."""

UNPACKED = ".restore-"
"""Beginning of the names of folders in the state folder into which a backup is being unpacked."""
READY = ".restored-"
"""The same, of those that are complete, and about to take the place of what is there."""

_LOCK_SECONDS = 1.0  # `is_running` holds the lock for a moment: lowering this may take it for a daemon
_LOCK_PAUSE_SECONDS = 0.01
_HOMES = ("/home", "/root", "/run/user")  # what ProtectHome hides


def prepare_inbox(inbox: Path) -> Path:
    """Return the inbox's absolute path; make the folder where only its last part is missing. Raise UsageError."""
    inbox = inbox.absolute()
    try:
        inbox.mkdir()
        log.info("made the inbox %s", inbox)
    except FileExistsError:
        if not inbox.is_dir():
            raise UsageError(f"{inbox}: the inbox is not a folder") from None
    except FileNotFoundError as error:
        raise UnavailableError(
            f"{inbox}: the inbox cannot be made, as {inbox.parent} is missing; is a disk not mounted?"
        ) from error
    except OSError as error:
        if _is_hidden_home(inbox):
            raise UsageError(hidden_home(inbox)) from error
        raise _refusal(f"{inbox}: the inbox cannot be made", error) from error
    if not os.access(inbox, os.R_OK | os.X_OK):
        raise UsageError(f"{inbox}: the inbox cannot be read; try: chmod u+rx {quote_for_shell(inbox)}")
    return inbox


def _is_hidden_home(inbox: Path) -> bool:
    """Whether this is a service (systemd.exec(5), $INVOCATION_ID), and its unit hides the homes with this folder."""
    home = next((home for home in _HOMES if inbox.is_relative_to(home)), None)
    return home is not None and "INVOCATION_ID" in os.environ and not os.access(home, os.X_OK)


def prepare_state(state: Path, inbox: Path) -> Path:
    """Return the state folder's absolute path; make it where it is missing. Raise UsageError."""
    state = state.absolute()
    if state.resolve().is_relative_to(inbox.resolve()):
        raise UsageError(f"{state}: the state folder lies in the inbox, where its files would be taken for photos")
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(f"{state}: the state folder cannot be made", error) from error
    return state


def left_over(state: Path) -> list[Path]:
    """Return what a restore of a backup has left in a state folder that has not ended; nothing where there is none."""
    try:
        return [path for path in state.iterdir() if path.name.startswith((UNPACKED, READY))]
    except OSError:
        return []


def lock_state(state: Path) -> int:
    """Lock the state folder against other daemons, for as long as the returned descriptor stays open.

    The kernel frees the lock however the process ends. Raise UsageError where another daemon holds it.
    """
    path = state / LOCK_FILE
    try:
        descriptor = _open_lock(path)
    except OSError as error:
        raise _refusal(f"{path}: the state folder cannot be written", error) from error
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise UsageError(state_in_use(state, read_url(state))) from error
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return descriptor


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except PermissionError:
        if not os.access(path.parent, os.W_OK):
            raise
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # root has made it: it can be locked as well


def claim_state_path(state: Path) -> int | None:
    """Claim the path of a state folder until the returned descriptor is closed; None where another has claimed it.

    It shows that a daemon runs whose state folder, with its lock, was moved away or removed. The claim is a name in the
    kernel, unix(7), which no file stands for; it is seen by processes of the same network namespace.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    digest = hashlib.sha256(os.fsencode(os.path.join(os.path.realpath(state.parent), state.name))).hexdigest()
    try:
        claim.bind(f"\0dogid/{digest}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            claim.close()
            return None
    return (
        claim.detach()
    )  # also where the system allows no such name: then a restore finds the daemon by its lock alone


def remove_new_state(state: Path) -> None:
    """Remove a state folder in which there is nothing but the lock file."""
    with contextlib.suppress(OSError):
        (state / LOCK_FILE).unlink()
        state.rmdir()


def is_running(state: Path) -> bool:
    """Whether a daemon holds the state folder's lock."""
    return is_file_locked(state / LOCK_FILE)


def _refusal(what: str, error: OSError) -> UsageError:
    """Return the error of a folder that cannot be used: whether it may pass depends on what the kernel says."""
    kind = UsageError if error.errno in _LASTING else UnavailableError
    return kind(f"{what}: {error.strerror}")
