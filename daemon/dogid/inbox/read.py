"""Reading a photo's bytes from the inbox, whole and unchanged, or saying why not."""

import errno
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import PhotoCode, PhotoError
from dogid.file_names import shown_name
from dogid.inbox.safe_open import NotAFileError, OutsideError, Root, open_beneath, open_root
from dogid.inbox.scan import Version

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


class TemporaryError(Exception):
    """The machine could not give the photo's bytes just now; the photo itself may be fine."""


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """The bytes of one version of a file."""

    data: bytes
    version: Version
    """As it was when reading began."""
    unchanged: bool
    """Whether it was still the same when reading ended."""


def read_photo(inbox: Path, path: bytes, max_bytes: int) -> ReadPhoto:
    """Read the file at path beneath the inbox.

    Raise PhotoError with `vanished`, `unsupported` or `too_large`; TemporaryError for what may pass: rights, I/O,
    the inbox not being mounted.
    """
    try:
        with open_root(inbox) as root:
            return _read(root, path, max_bytes)
    except OSError as error:
        reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'OSError')})"
        if error.errno == errno.EACCES:
            reason += f"; try: {_remedy(os.fsencode(inbox) + b'/' + path)}"
        raise TemporaryError(reason) from error


def _remedy(full: bytes) -> str:
    """The command that lets us read a file, or enter the folder that is closed: by whatever right is ours."""
    rights = "r"
    while True:
        try:
            status = os.lstat(full)
            break
        except OSError:  # a folder above is closed
            full, rights = os.path.dirname(full), "rx"
    who = "u" if status.st_uid == os.geteuid() else "g" if status.st_gid in {os.getegid(), *os.getgroups()} else "a"
    return f"chmod {who}+{rights} {shlex.quote(shown_name(full))}"


def _read(root: Root, path: bytes, max_bytes: int) -> ReadPhoto:
    try:
        descriptor = open_beneath(root, path)
    except OutsideError as error:
        raise PhotoError(PhotoCode.UNSUPPORTED, "a link that leads out of the inbox") from error
    except NotAFileError as error:
        raise PhotoError(PhotoCode.UNSUPPORTED, "not a regular file") from error
    except OSError as error:
        if error.errno in _GONE:
            raise PhotoError(PhotoCode.VANISHED, "the file was removed before it could be read") from error
        raise
    try:
        before = Version.of(os.fstat(descriptor))
        if before.size > max_bytes:
            raise PhotoError(PhotoCode.TOO_LARGE, f"{before.size} bytes; at most {max_bytes} are read (max_bytes)")
        data = _read_all(descriptor, before.size)
        unchanged = len(data) == before.size and Version.of(os.fstat(descriptor)) == before
        return ReadPhoto(data, before, unchanged)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int) -> bytes:
    """Up to size bytes; usually in a single read. A file that grows meanwhile is seen by its changed version."""
    data = os.read(descriptor, size)
    if len(data) == size:
        return data
    parts = [data]
    missing = size - len(data)
    while missing and parts[-1]:
        parts.append(os.read(descriptor, missing))
        missing -= len(parts[-1])
    return b"".join(parts)
