"""Reading a photo's bytes from the inbox, and checking that they did not change meanwhile."""

import errno
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.permissions import chmod_hint
from dogid.inbox.safe_open import NotAFileError, OutsideError, Root, open_beneath, open_root
from dogid.inbox.scan import Version

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


class TemporaryError(Exception):
    """The photo could not be read for a reason that may pass; the photo itself may be fine."""


class ReadPhoto(NamedTuple):
    """The bytes of one version of a file."""

    data: bytes
    version: Version
    """When reading began."""
    unchanged: bool
    """Whether the version was the same when reading ended."""


def read_photo(inbox: Path, path: bytes, max_bytes: int) -> ReadPhoto:
    """Read the file at a path relative to the inbox, of at most max_bytes bytes.

    Raise PhotoError with `vanished`, `unsupported` or `too_large`; TemporaryError where permissions, an I/O error or an
    inbox that is not mounted prevent reading.
    """
    try:
        with open_root(inbox) as root:
            return _read(root, path, max_bytes)
    except OSError as error:
        reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'OSError')})"
        if error.errno == errno.EACCES:
            reason += f"; try: {chmod_hint(os.fsencode(inbox) + b'/' + path)}"
        raise TemporaryError(reason) from error


def read_content(inbox: Path, path: bytes, max_bytes: int, sha256: str) -> bytes | None:
    """Return the bytes of a file where they have a SHA-256, in hex; None where it has others. Raise as `read_photo`."""
    data = read_photo(inbox, path, max_bytes).data
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


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
        before = Version.from_stat(os.fstat(descriptor))
        if before.size > max_bytes:
            raise PhotoError(PhotoCode.TOO_LARGE, f"{before.size} bytes; at most {max_bytes} are read (max_bytes)")
        data = _read_all(descriptor, before.size)
        unchanged = len(data) == before.size and Version.from_stat(os.fstat(descriptor)) == before
        return ReadPhoto(data, before, unchanged)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int) -> bytes:
    """Return up to size bytes, usually by a single read. A file that grows meanwhile has another version afterwards."""
    data = os.read(descriptor, size)
    if len(data) == size:
        return data
    parts = [data]
    missing = size - len(data)
    while missing and parts[-1]:
        parts.append(os.read(descriptor, missing))
        missing -= len(parts[-1])
    return b"".join(parts)
