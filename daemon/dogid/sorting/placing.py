"""Making one copy or link of a photo: whole or not at all, and never over another file."""

import contextlib
import errno
import hashlib
import os
import stat
from enum import StrEnum
from pathlib import Path

from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root

TEMPORARY = ".dogid-sort-"
"""Beginning of the names of files that are not whole yet, in the sorted folder itself."""
_PIECE = 1 << 20
_OTHER_DISK = "it lies on another disk than the inbox, and hard links need one: copy, or use symbolic links"
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
NOT_A_NAME = frozenset({errno.EINVAL, errno.EILSEQ})
"""What file systems answer to a name that they cannot store, such as one that is no UTF-8."""
NAME_REFUSED = NOT_A_NAME | {errno.EPERM, errno.ENOENT}
"""What they answer to letters that they do not take: the kernel's, and those of FUSE. The latter two mean else, too."""


class Kind(StrEnum):
    """What is made of a photo."""

    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class SkippedError(Exception):
    """A photo that cannot be sorted now: it has gone, or its content is another by now."""


class UnreadableError(SkippedError):
    """A photo that cannot be read, for a reason that may pass."""


class LinkError(Exception):
    """Links of this kind cannot be made there at all."""


def prepare(kind: Kind, inbox: Path, path: bytes, sha256: str, modified_ms: int | None, temporary: Path) -> None:
    """Make a copy or link of a photo at a temporary path, whole and on the disk.

    path is relative to the inbox; sha256 and modified_ms (milliseconds since 1970) are what the ledger knows of it: a
    copy is compared by its content, a link by the date. Raise SkippedError, LinkError, OSError.
    """
    temporary.unlink(missing_ok=True)
    try:
        root = open_root(inbox)
    except OSError as error:
        raise UnreadableError(f"the inbox cannot be read: {error.strerror}") from error
    try:
        with root:
            source = open_beneath(root, path)
    except FileNotFoundError as error:
        raise SkippedError("it has left the inbox") from error
    except (OutsideError, NotAFileError) as error:
        raise SkippedError("it is no regular file of the inbox") from error
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(source)
        if kind is Kind.COPY:
            _copy(source, status, sha256, temporary)
            return
        if modified_ms is not None and status.st_mtime_ns // 1_000_000 != modified_ms:
            raise SkippedError("it has changed since it was classified")
        full = os.fsencode(inbox) + b"/" + path
        if kind is Kind.SYMLINK:
            _link_symbolically(full, temporary)
        else:
            _link(source, temporary)
    finally:
        os.close(source)


def _copy(source: int, status: os.stat_result, sha256: str, temporary: Path) -> None:
    digest = hashlib.sha256()
    mode = stat.S_IMODE(status.st_mode) & 0o666 | 0o400
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(target, "wb", buffering=0) as file:
        while piece := _read_piece(source):
            digest.update(piece)
            while piece:
                piece = piece[file.write(piece) :]
        if digest.hexdigest() != sha256:
            raise SkippedError("it has changed since it was classified")
        with contextlib.suppress(PermissionError):  # of another user's memory card
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(file.fileno())


def _read_piece(source: int) -> bytes:
    try:
        return os.read(source, _PIECE)
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error.strerror}") from error


def _link(source: int, temporary: Path) -> None:
    try:
        os.link(f"/proc/self/fd/{source}", temporary, src_dir_fd=source, follow_symlinks=True)  # else it links the link
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise LinkError(_OTHER_DISK) from error
        if error.errno in _NO_HARD_LINKS:
            raise LinkError("hard links cannot be made there: copy, or use symbolic links") from error
        raise


def _link_symbolically(full: bytes, temporary: Path) -> None:
    try:
        os.symlink(full, os.fsencode(temporary))
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            raise LinkError("the file system has no symbolic links: copy") from error
        raise


def claim(temporary: Path, target: Path) -> bool:
    """Give a file its name; return false where another one has it. Raise OSError."""
    try:
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if os.path.lexists(target):
            return False
        temporary.rename(target)  # file systems of memory cards have no links
        return True
    temporary.unlink()
    return True


def takes_every_name(folder: Path) -> bool:
    """Return whether the file system of a folder takes names that FAT and NTFS refuse.

    Raise OSError where that cannot be found out now, as on a full disk, or as the folder is gone.
    """
    try:
        _try_name(folder, ":?")
    except OSError as error:
        if error.errno not in NAME_REFUSED:
            raise
        _try_name(folder, "plain")  # where that fails, too, it was not for the name
        return False
    return True


def _try_name(folder: Path, name: str) -> None:
    probe = folder / f"{TEMPORARY}{name}.part"
    probe.touch()
    probe.unlink(missing_ok=True)


def is_ours(path: Path, kind: str, sha256: str, source: bytes) -> bool:
    """Return whether what lies at a path is what dogid would have made there: unchanged. Raise OSError."""
    try:
        if kind == Kind.SYMLINK:
            return os.readlink(os.fsencode(path)) == source
        status = path.lstat()
        return stat.S_ISREG(status.st_mode) and hash_file(path) == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.EINVAL:  # no link
            return False
        raise


def kind_of(path: Path, source: bytes) -> Kind | None:
    """Return what lies at a path, made of a file: a link to it, or else a copy; None where nothing does."""
    if path.is_symlink():
        return Kind.SYMLINK
    if not path.exists():
        return None
    try:
        return Kind.HARDLINK if os.path.samestat(os.lstat(source), path.lstat()) else Kind.COPY
    except OSError:
        return Kind.COPY


def check_disk(source: bytes, folder: Path) -> None:
    """Raise LinkError where a folder, or the place where it would be made, is on another disk than a file."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    with contextlib.suppress(FileNotFoundError):
        if os.stat(source).st_dev != place.stat().st_dev:
            raise LinkError(_OTHER_DISK)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex. Raise OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_temporary(folder: Path) -> None:
    """Delete what was not whole when a former run ended."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith(TEMPORARY) and entry.name.endswith(".part"):
                Path(entry.path).unlink(missing_ok=True)
