"""Putting photos into the inbox that come from elsewhere: whole or not at all, and never over another file."""

import contextlib
import errno
import os
import secrets
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from dogid.inbox.free_name import rename_to_free_name
from dogid.inbox.safe_open import Root, open_root
from dogid.inbox.upload_name import add_number, make_upload_name
from dogid.photo import foreign_formats, formats
from dogid.photo.decode import decodable_formats

_BEGINNING = ".dogid-upload-"
_OWN_BEGINNING = f"{_BEGINNING}{secrets.token_hex(8)}-"
"""Of the temporary files of this process; all others are of processes that have ended."""
_TEMPORARY = f"{_OWN_BEGINNING}{{}}.part"
"""A name that the inbox ignores, by its dot and by its ending."""
_HEAD_BYTES = 512
"""By which a photo's format is known: the longest is the type box of HEIC, with 64 brands."""
_MOST_NUMBERS = 1000
"""Tries for a name with a number, before one by chance; each is one call of the kernel."""
_PIECE = 1 << 18
"""Bytes that are compared at once. Raising it takes memory; lowering it takes time."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NAMING = threading.Lock()
"""Held while photos get names: those of one upload may be taken back, and another must not count on them by then."""


class TooLargeError(Exception):
    """The photo has more bytes than it may have."""


class NoPhotoError(Exception):
    """What was sent is not a photo, by its first bytes; the text says what it is, and what to do."""


class CancelledError(Exception):
    """It is no longer wanted that the photos are kept."""


class PartlyKeptError(Exception):
    """Some photos are kept and others are not, as an error, the cause, came between and those could not be deleted."""

    def __init__(self, kept: int, cause: OSError) -> None:
        """kept: how many photos have their names."""
        super().__init__(kept, cause)
        self.kept = kept
        self.cause = cause


class IncomingPhoto:
    """A photo on its way into the inbox: a temporary file that the inbox ignores, until `keep_all` gives it a name."""

    def __init__(self, root: Root, limit: int) -> None:
        """Make the temporary file, empty, in the inbox itself. Raise OSError.

        limit: bytes that the photo may have.
        """
        self._root = root
        self._limit = limit
        self._temporary = _TEMPORARY.format(secrets.token_hex(8))
        self._head = b""
        self._kept: tuple[str, os.stat_result] | None = None
        self.size = 0
        """Bytes that were written."""
        self.is_cancelled = False
        """Whether the photo must not be kept any more, since its sender no longer waits."""
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

    def finish(self) -> None:
        """Sync the file, which has the whole photo now, and close it. Raise NoPhotoError or OSError."""
        self._identify()
        os.fsync(self._descriptor)
        self._close()

    def keep(self, sent: str) -> str:
        """Give the finished photo a name that no other file has; return that name.

        Where a file with a name that the photo would get holds the same bytes, that is the photo, sent once more.
        sent: what it is called elsewhere. Raise CancelledError or OSError; then it was not kept.
        """
        if self.is_cancelled:
            raise CancelledError
        name = make_upload_name(sent, self._identify())
        folder = self._root.descriptor
        written = os.stat(self._temporary, dir_fd=folder, follow_symlinks=False)
        names = (add_number(name, number) for number in range(2, _MOST_NUMBERS))
        for one in (name, *names, add_number(name, secrets.randbits(60))):
            if rename_to_free_name(folder, self._temporary, one):
                self._kept = (one, written)
                return one
            if self._is_same(one):
                return one
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)

    def take_back(self) -> bool:
        """Delete the photo where `keep` has given it its name; return whether it is not kept now."""
        if self._kept is None:
            return True
        name, written = self._kept
        folder = self._root.descriptor
        try:
            if os.path.samestat(os.stat(name, dir_fd=folder, follow_symlinks=False), written):
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def discard(self) -> None:
        """Close, and delete the temporary file where there still is one."""
        self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._root.descriptor)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _identify(self) -> str:
        kind = formats.identify(self._head)
        if kind is None:
            known = f"not a photo in a known format ({decodable_formats()})"
            raise NoPhotoError(foreign_formats.explain(self._head) or known)
        return kind

    def _is_same(self, name: str) -> bool:
        """Whether a regular file of the inbox holds this photo, on disk."""
        folder = self._root.descriptor
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            # a device or pipe may react to being opened
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_size != self.size:
                return False
            one, other = (
                opened.enter_context(open(os.open(path, _OLD, dir_fd=folder), "rb", buffering=0))
                for path in (name, self._temporary)
            )
            while piece := other.read(_PIECE):
                if one.read(len(piece)) != piece:
                    return False
            os.fsync(one.fileno())
            return True
        return False


def keep_all(root: Root, sent: Sequence[tuple[str, IncomingPhoto]]) -> list[str]:
    """Give finished photos their names in the inbox, all or none; return these names.

    sent: (what it is called elsewhere, photo) of each. Raise CancelledError or OSError: then none is kept; and
    PartlyKeptError.
    """
    with _NAMING:
        try:
            names = [photo.keep(name) for name, photo in sent]
        except (CancelledError, OSError) as error:
            kept = sum(not photo.take_back() for _, photo in sent)
            if kept and isinstance(error, OSError):
                raise PartlyKeptError(kept, error) from error
            raise
    with contextlib.suppress(OSError):  # some network file systems cannot sync folders
        os.fsync(root.descriptor)
    return names


def free_bytes(root: Root) -> int:
    """Return how many bytes can still be written into the inbox. Raise OSError."""
    figures = os.fstatvfs(root.descriptor)
    return figures.f_bavail * figures.f_frsize


def remove_abandoned(inbox: Path) -> None:
    """Delete the temporary files that processes left in the inbox that were killed while they wrote."""
    with contextlib.suppress(OSError), open_root(inbox) as root, os.scandir(root.descriptor) as entries:
        for entry in entries:
            if not entry.name.startswith(_BEGINNING) or entry.name.startswith(_OWN_BEGINNING):
                continue
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=root.descriptor)
