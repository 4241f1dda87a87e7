"""Opening files beneath the inbox, and nowhere else (as openat2(2) does with RESOLVE_BENEATH).

Paths are walked part by part from an open directory with O_NOFOLLOW, so that a link swapped in between check and use
is not followed; links are read and walked by the same rules. Special files are never read and never block: O_NONBLOCK,
and fstat before the first byte.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

_MAX_LINKS = 8  # links in one path; the kernel follows 40, but more than a few are circles
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class OutsideError(Exception):
    """The path leads out of the inbox."""


class NotAFileError(Exception):
    """The path names a folder, a socket, a pipe or a device."""


@dataclass(frozen=True, slots=True)
class Root:
    """The inbox as it is now: an open directory, and the path that it was opened by. A context that closes it."""

    descriptor: int
    inbox: Path
    """As in the settings; may contain links."""

    def __enter__(self) -> "Root":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def relative(self, absolute: bytes) -> bytes:
        """Return the part of an absolute path below the inbox. Raise OutsideError where it leads elsewhere."""
        given = os.fsencode(self.inbox)
        for root in (os.path.realpath(given), os.path.abspath(given)):  # computed here, since few photos are links
            if absolute.startswith(root.rstrip(b"/") + b"/"):
                return absolute[len(root) :]
        raise OutsideError


def open_root(inbox: Path) -> Root:
    """Open the inbox itself; after a remount its path leads to another directory. Raise OSError."""
    return Root(os.open(inbox, _ROOT), inbox)


def open_beneath(root: Root, path: bytes) -> int:
    """Given the inbox and a path relative to it, return a descriptor of the regular file there.

    Raise OutsideError, NotAFileError, or OSError (FileNotFoundError, PermissionError, ...).
    """
    folders = [root.descriptor]
    try:
        return _walk(root, folders, path.split(b"/"))
    finally:
        for folder in folders[1:]:
            os.close(folder)


def _walk(root: Root, folders: list[int], parts: list[bytes]) -> int:
    """Walk parts, first to last, from the last of folders, which grows and shrinks as the path goes down and up."""
    links = 0
    while parts:
        part = parts.pop(0)
        if part in (b"", b"."):
            continue
        if part == b"..":
            if len(folders) == 1:
                raise OutsideError
            os.close(folders.pop())
            continue
        # a device or pipe may react to being opened: stat first, and check again what was opened
        kind = os.stat(part, dir_fd=folders[-1], follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            target = os.readlink(part, dir_fd=folders[-1])
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith(b"/"):
                target = root.relative(target)
                while len(folders) > 1:
                    os.close(folders.pop())
            parts[:0] = target.split(b"/")
        elif parts and any(later not in (b"", b".") for later in parts):
            folders.append(os.open(part, _FOLDER, dir_fd=folders[-1]))
        elif stat.S_ISREG(kind):
            return _open_file(folders[-1], part)
        else:
            raise NotAFileError
    raise NotAFileError


def _open_file(folder: int, name: bytes) -> int:
    descriptor = os.open(name, _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFileError
    return descriptor
