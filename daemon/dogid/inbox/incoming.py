"""Putting photos into the inbox that come from elsewhere: whole or not at all, and never over another file."""

import contextlib
import errno
import os
import secrets
import time

from dogid.inbox.safe_open import Root
from dogid.inbox.upload_name import add_number, make_upload_name
from dogid.photo import foreign_formats, formats
from dogid.photo.decode import decodable_formats

_BEGINNING = ".dogid-upload-"
_TEMPORARY = f"{_BEGINNING}{{}}.part"
"""A name that the inbox ignores, by its dot and by its ending."""
_HEAD_BYTES = 512
"""By which a photo's format is known: the longest is the type box of HEIC, with 64 brands."""
_MOST_NUMBERS = 1000
"""Tries for a name with a number, before one by chance; each is one call of the kernel."""
_ABANDONED_SECONDS = 3600.0
"""From when on a temporary file is taken for that of a process that was killed. No upload lasts half as long."""
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TooLargeError(Exception):
    """The photo has more bytes than it may have."""


class NoPhotoError(Exception):
    """What was sent is not a photo, by its first bytes; the text says what it is, and what to do."""


class CancelledError(Exception):
    """It is no longer wanted that the photo is kept."""


class IncomingPhoto:
    """A photo on its way into the inbox: a temporary file that the inbox ignores, until `keep` gives it its name."""

    def __init__(self, root: Root, limit: int) -> None:
        """Make the temporary file, empty, in the inbox itself. Raise OSError.

        limit: bytes that the photo may have.
        """
        self._root = root
        self._limit = limit
        self._temporary = _TEMPORARY.format(secrets.token_hex(8))
        self._head = b""
        self.size = 0
        """Bytes that were written."""
        self.is_cancelled = False
        """Whether the photo must not be kept any more, as nobody waits for it."""
        self._descriptor = os.open(self._temporary, _NEW, 0o666, dir_fd=root.descriptor)

    def write(self, piece: bytes) -> int:
        """Add bytes to the end. Raise TooLargeError; NoPhotoError, as soon as it is known; OSError."""
        self.size += len(piece)
        if self.size > self._limit:
            raise TooLargeError
        if len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
            if len(self._head) == _HEAD_BYTES:
                self._identify()
        view = memoryview(piece)
        while view:
            view = view[os.write(self._descriptor, view) :]
        return len(piece)

    def check(self) -> None:
        """Raise NoPhotoError where what was written is not a photo."""
        self._identify()

    def keep(self, sent: str) -> str:
        """Give the photo, all of which was written, a name that no other file has; return that name.

        sent: what it is called elsewhere. Raise NoPhotoError, CancelledError or OSError; then nothing was kept.
        """
        name = make_upload_name(sent, self._identify())
        os.fsync(self._descriptor)
        if self.is_cancelled:
            raise CancelledError
        names = (add_number(name, number) for number in range(2, _MOST_NUMBERS))
        for one in (name, *names, add_number(name, secrets.randbits(60))):
            if self._claim(one):
                with contextlib.suppress(OSError):  # some network file systems cannot sync folders
                    os.fsync(self._root.descriptor)
                return one
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)

    def discard(self) -> None:
        """Close, and delete the temporary file where there still is one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._root.descriptor)

    def _identify(self) -> str:
        kind = formats.identify(self._head)
        if kind is None:
            known = f"not a photo in a known format ({decodable_formats()})"
            raise NoPhotoError(foreign_formats.explain(self._head) or known)
        return kind

    def _claim(self, name: str) -> bool:
        """Give the temporary file a name; return false where anything, also a link, has it. Raise OSError."""
        folder = self._root.descriptor
        try:
            os.link(self._temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            with contextlib.suppress(FileNotFoundError):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
                return False
            os.rename(self._temporary, name, src_dir_fd=folder, dst_dir_fd=folder)  # memory cards have no links
        return True


def free_bytes(root: Root) -> int:
    """Return how many bytes can still be written into the inbox. Raise OSError."""
    figures = os.fstatvfs(root.descriptor)
    return figures.f_bavail * figures.f_frsize


def remove_abandoned(root: Root) -> None:
    """Delete the temporary files of processes that were killed while they wrote."""
    with contextlib.suppress(OSError), os.scandir(root.descriptor) as entries:
        for entry in entries:
            if not entry.name.startswith(_BEGINNING) or not entry.is_file(follow_symlinks=False):
                continue
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS:
                with contextlib.suppress(OSError):
                    os.unlink(entry.name, dir_fd=root.descriptor)
