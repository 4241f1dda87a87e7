"""What kind of file system a folder lies on, as Linux tells in /proc/self/mountinfo (proc(5))."""

import os
from pathlib import Path

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "ncpfs", "lustre", "vboxsf", "prl_fs"}
)


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds folder ("ext4", "nfs4", "fuse.sshfs"), or "unknown"."""
    try:
        device = os.stat(folder).st_dev
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return "unknown"
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    for line in table.splitlines():
        before, _, after = line.partition(b" - ")
        if before.split()[2] == wanted:
            return after.split()[0].decode("ascii", "replace")
    return "unknown"


def is_remote(kind: str) -> bool:
    """Whether others can change files on such a file system without this machine's kernel telling of it."""
    return kind in _NETWORK or (kind.startswith("fuse.") and kind != "fuse.mergerfs")
