"""The file systems that the inbox is on, from /proc/self/mountinfo (proc(5))."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda"),
        *("ceph", "glusterfs", "lustre", "beegfs", "gpfs", "orangefs", "ocfs2", "gfs2"),
        *("9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "osxfs", "fakeowner"),  # from a host to its guests
        "fuse",
    }
)
_FAT = frozenset({"vfat", "msdos", "exfat", "fuseblk"})  # memory cards: Linux invents the inodes
_SHARED_BY_HOST = frozenset({"vboxsf", "prl_fs", "vmhgfs", "osxfs", "fakeowner"})  # their drivers invent them too
_LOCAL_FUSE = frozenset({"fuse.mergerfs", "fuse.ntfs", "fuse.exfat", "fuse.snapraid"})
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    id: int
    """The kernel's mount ID; another mount at the same place has another."""
    device: bytes
    """major:minor, as in st_dev."""
    point: bytes
    type: str
    """The file system's, such as "ext4", "nfs4", "fuse.sshfs"."""


def mounts() -> list[Mount]:
    """Return all mounts, in the order of mounting; an empty list where /proc is not available."""
    try:
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return []
    return [_mount(line) for line in table.splitlines()]


def file_system_type(folder: Path) -> str:
    """Return the type of the file system that holds folder, or "unknown"."""
    try:
        device = os.stat(folder).st_dev
    except OSError:
        return "unknown"
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    return next((mount.type for mount in mounts() if mount.device == wanted), "unknown")


def mounts_inside(folder: Path) -> tuple[Mount, ...]:
    """Return the mounts on folders inside a folder, at any depth."""
    prefix = os.path.realpath(os.fsencode(folder)).rstrip(b"/") + b"/"
    return tuple(mount for mount in mounts() if mount.point.startswith(prefix))


def has_stable_inodes(fs_type: str) -> bool:
    """Return whether a file keeps its inode for its whole life, across remounts and cache pressure, and its ctime."""
    invented = _FAT | _SHARED_BY_HOST | {"cifs", "smb3", "smbfs"}
    return fs_type not in invented and not fs_type.startswith("fuse")


def is_remote(fs_type: str) -> bool:
    """Return whether files on such a file system can change without an inotify event on this machine."""
    return fs_type in _NETWORK or (fs_type.startswith("fuse.") and fs_type not in _LOCAL_FUSE)


def _mount(line: bytes) -> Mount:
    before, _, after = line.partition(b" - ")
    mount_id, _, device, _, point, *_ = before.split(b" ")
    unescaped = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), point)
    return Mount(int(mount_id), device, unescaped, after.split(b" ")[0].decode("ascii", "replace"))
