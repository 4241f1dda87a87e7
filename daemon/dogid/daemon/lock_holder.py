"""Signalling the daemon that uses a state folder, and no other process."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from dogid.daemon.folders import LOCK_FILE

_LOCKS = Path("/proc/locks")


def signal_daemon(state: Path, number: signal.Signals) -> int | None:
    """Send a signal to the process that holds the lock of a state folder; return its id, None where none was found.

    Raise PermissionError where this user must not.
    """
    try:
        lock, owner = os.lstat(state / LOCK_FILE), state.stat().st_uid
    except OSError:
        return None
    for pid in _find_holders(lock.st_ino):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            descriptor = os.pidfd_open(pid)
            try:
                # root signals the owner's processes and its own alone, whatever file the owner has put there
                if os.getuid() == 0 and _user(pid) not in (owner, 0):
                    continue
                # the descriptor is that of the process which has the file open: no other can get its number now
                if any(os.path.samestat(lock, found) for found in _open_files(pid)):
                    signal.pidfd_send_signal(descriptor, number)
                    return pid
            finally:
                os.close(descriptor)
    return None


def _find_holders(inode: int) -> list[int]:
    """Return the processes with an exclusive lock on a file of this inode, on any disk: proc_locks(5)."""
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return []
    # 1: FLOCK  ADVISORY  WRITE 4321 08:01:131 0 EOF
    fields = [line.split() for line in lines if "->" not in line]  # those are waiting
    return [
        int(field[4])
        for field in fields
        if field[1] == "FLOCK" and field[3] == "WRITE" and field[5].rpartition(":")[2] == str(inode)
    ]


def _user(pid: int) -> int | None:
    """Return the user whom a process belongs to."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    return None


def _open_files(pid: int) -> Iterator[os.stat_result]:
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            yield os.stat(f"{folder}/{name}")
