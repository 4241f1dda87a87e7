"""The files in the inbox at this moment: of one scan, or of one path."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dogid.inbox.ignored_names import is_ignored, is_ignored_path
from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root

_SIGN_BIT = 1 << 63  # of SQLite's integers
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})  # since the folder was listed


class Version(NamedTuple):
    """Identifies one version of a file, without reading it."""

    inode: int
    size: int
    """In bytes."""
    mtime_ns: int
    ctime_ns: int | None = None
    """When the content, name or rights changed last: no program can set it. None where it was not noted."""

    @classmethod
    def from_stat(cls, status: os.stat_result) -> "Version":
        """Return the version that a stat describes, each number wrapped to a signed 64-bit integer, as SQLite has.

        Inodes of some network file systems are larger, and dates may be anywhere: ext4 goes to 2446, int64 to 2262.
        """
        return cls(
            _to_int64(status.st_ino), status.st_size, _to_int64(status.st_mtime_ns), _to_int64(status.st_ctime_ns)
        )

    def has_same_stat(self, other: "Version") -> bool:
        """Return whether inode, size and mtime agree: probably, but not certainly, the same content.

        Any program can set an mtime, equal sizes are usual, and ext4 gives a freed inode to the next file.
        """
        return self[:3] == other[:3]


def _to_int64(number: int) -> int:
    return number if -_SIGN_BIT <= number < _SIGN_BIT else (number + _SIGN_BIT) % (2 * _SIGN_BIT) - _SIGN_BIT


def same_version(one: Version, other: Version, *, stable_inodes: bool) -> bool:
    """Return whether two versions are equal: by size and mtime alone where the file system invents its inodes.

    Such file systems often keep no ctime either. A ctime that was not noted agrees with any.
    """
    if not stable_inodes:
        return one[1:3] == other[1:3]
    return one.has_same_stat(other) and (None in (one.ctime_ns, other.ctime_ns) or one.ctime_ns == other.ctime_ns)


class FoundFile(NamedTuple):
    """A file in the inbox that may be a photo, and its version."""

    path: bytes
    """Relative to the inbox."""
    version: Version


LookAt = Callable[[bytes], FoundFile | None]
"""Given a path relative to the inbox, what is there now."""


@dataclass(slots=True)
class ScanErrors:
    """Folders that a scan could not read, whose photos are not gone, only unseen; and links that it left out."""

    folders: dict[bytes, str]
    """Path relative to the inbox, and the reason."""
    links: list[bytes] = field(default_factory=list)
    """Paths relative to the inbox: of links out of it, to folders or to nothing, or to photos with their own names."""


def scan(inbox: Path, errors: ScanErrors | None = None, folder: bytes = b"") -> Iterator[FoundFile]:
    """Yield every file of the inbox (or of a folder inside it) that may be a photo, as it is now.

    Folders are opened afresh, which also defeats network file systems' attribute caches. Ignored names, special files,
    linked folders, and links to anything but a regular file in the inbox are left out. So are links to photos that are
    in the inbox under their own names, as a camera's "latest" is.
    Raise OSError where the inbox (or that folder) cannot be read; other folders' errors are added to errors, and so are
    links that are left out.
    """
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        try:
            yield from _scan_folder(inbox, at, waiting, errors)
        except OSError as error:
            if at == folder:
                raise
            if errors is not None and error.errno not in _GONE:
                errors.folders[at] = error.strerror or str(error)


def _scan_folder(inbox: Path, at: bytes, waiting: list[bytes], errors: ScanErrors | None) -> Iterator[FoundFile]:
    """Yield the files of one folder; add the folders in it to waiting, and links that are left out to errors.

    Raise OSError at the end, after all readable files, where a file's name can be read but not its size.
    """
    root = os.fsencode(inbox)
    unreadable: OSError | None = None
    with os.scandir(os.path.join(root, at) if at else root) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            path = at + b"/" + entry.name if at else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    continue
                found = _file_of_entry(inbox, entry, path)
            except OSError as error:
                if error.errno not in _GONE:
                    unreadable = error
                continue
            if found is not None:
                yield found
            elif errors is not None and entry.is_symlink():
                errors.links.append(path)
    if unreadable is not None:
        raise unreadable


def find_file(inbox: Path, path: bytes) -> FoundFile | None:
    """Return the file at a path relative to the inbox, by the same rules as `scan`; None where there is none."""
    full = os.path.join(os.fsencode(inbox), path)
    try:
        status = os.lstat(full)
    except (OSError, ValueError):
        return None
    if stat.S_ISLNK(status.st_mode):
        return _file_behind_link(inbox, path)
    return FoundFile(path, Version.from_stat(status)) if stat.S_ISREG(status.st_mode) else None


def _file_of_entry(inbox: Path, entry: "os.DirEntry[bytes]", path: bytes) -> FoundFile | None:
    if entry.is_symlink():
        return _file_behind_link(inbox, path)
    if entry.is_file(follow_symlinks=False):
        return FoundFile(path, Version.from_stat(entry.stat(follow_symlinks=False)))
    return None


def own_name(inbox: Path, path: bytes) -> bytes | None:
    """Given a link's path relative to the inbox, return the path of its file there, if that counts by itself."""
    root, target = os.path.realpath(os.fsencode(inbox)), os.path.realpath(os.path.join(os.fsencode(inbox), path))
    if not target.startswith(root.rstrip(b"/") + b"/"):
        return None
    name = target[len(root.rstrip(b"/")) + 1 :]
    return None if name == path or is_ignored_path(name) else name


def _file_behind_link(inbox: Path, path: bytes) -> FoundFile | None:
    if own_name(inbox, path) is not None:
        return None
    try:
        with open_root(inbox) as root:
            descriptor = open_beneath(root, path)
    except (OutsideError, NotAFileError, OSError):
        return None
    try:
        return FoundFile(path, Version.from_stat(os.fstat(descriptor)))
    finally:
        os.close(descriptor)
