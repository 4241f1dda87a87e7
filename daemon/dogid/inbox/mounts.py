"""What kinds of file system the inbox lies on, as Linux tells in /proc/self/mountinfo (proc(5))."""

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
_FAT = frozenset({"vfat", "msdos", "exfat", "fuseblk"})  # memory cards: no inodes on the disk, Linux makes them up
_LOCAL_FUSE = frozenset({"fuse.mergerfs", "fuse.ntfs", "fuse.exfat", "fuse.snapraid"})
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    number: int
    """The kernel's; another mount at the same place has another."""
    device: bytes
    """major:minor, as in st_dev."""
    point: bytes
    kind: str
    """Such as "ext4", "nfs4", "fuse.sshfs"."""


def mounts() -> list[Mount]:
    """Return what is mounted now, in the order of mounting; nothing where /proc is not to be had."""
    try:
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return []
    return [_mount(line) for line in table.splitlines()]


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds folder, or "unknown"."""
    try:
        device = os.stat(folder).st_dev
    except OSError:
        return "unknown"
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    return next((mount.kind for mount in mounts() if mount.device == wanted), "unknown")


def mounts_beneath(folder: Path) -> tuple[Mount, ...]:
    """Return what is mounted on folders inside folder."""
    prefix = os.path.realpath(os.fsencode(folder)).rstrip(b"/") + b"/"
    return tuple(mount for mount in mounts() if mount.point.startswith(prefix))


def has_stable_inodes(kind: str) -> bool:
    """Whether a file keeps its inode for as long as it lives, over remounts and a full cache."""
    return kind not in _FAT and not kind.startswith("fuse") and kind not in ("cifs", "smb3", "smbfs")


def is_remote(kind: str) -> bool:
    """Whether others can change files on such a file system without this machine's kernel telling of it."""
    return kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)


def _mount(line: bytes) -> Mount:
    before, _, after = line.partition(b" - ")
    number, _, device, _, point, *_ = before.split(b" ")
    unescaped = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), point)
    return Mount(int(number), device, unescaped, after.split(b" ")[0].decode("ascii", "replace"))
