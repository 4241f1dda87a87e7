"""Giving a file another name that no other file has, without a moment at which one could be overwritten."""

import ctypes
import errno
import os
from collections.abc import Callable

_RENAME_NOREPLACE = 1  # linux/fs.h
_CLAIM = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSUPPORTED = frozenset({errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def rename_to_free_name(folder: int, old: str, new: str) -> bool:
    """Rename a file inside an open folder; return false where anything, also a link, has the new name. Raise OSError.

    The old name may stay, as another of the same file.
    """
    ways: tuple[Callable[[int, str, str], None], ...] = (_rename_without_replacing, _link, _rename_over_claim)
    for way in ways:
        try:
            way(folder, old, new)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _UNSUPPORTED or way is ways[-1]:
                raise
        else:
            break
    return True


def _rename_without_replacing(folder: int, old: str, new: str) -> None:
    """As renameat2(2) does, also on memory cards (FAT); network file systems and some of FUSE refuse it (EINVAL)."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(folder, os.fsencode(old), folder, os.fsencode(new), ctypes.c_uint(_RENAME_NOREPLACE)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)


def _link(folder: int, old: str, new: str) -> None:
    os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def _rename_over_claim(folder: int, old: str, new: str) -> None:
    """Make an empty file of the new name, which fails where there is one, and rename over that file alone."""
    claim = os.open(new, _CLAIM, 0o666, dir_fd=folder)
    try:
        if not _is_still(folder, new, claim):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        try:
            os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            if _is_still(folder, new, claim):
                os.unlink(new, dir_fd=folder)
            raise
    finally:
        os.close(claim)


def _is_still(folder: int, name: str, claim: int) -> bool:
    """Whether a name is that of the file with this descriptor, and the file is still empty."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return os.path.samestat(found, os.fstat(claim)) and found.st_size == 0
