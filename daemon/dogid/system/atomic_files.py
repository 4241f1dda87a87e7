"""Writing files atomically: readers, also after a power cut, find the whole old file or the whole new one."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all: see `write_all_atomically`."""
    write_all_atomically(path.parent, {path.name: content}, mode)


def write_all_atomically(folder: Path, contents: Mapping[str, bytes], mode: int = 0o644) -> None:
    """Write files of these names into folder, in this order, or none where one cannot be written. Raise OSError.

    All are whole on the disk before the first takes its name: a full disk leaves what was there before. The folder is
    made where it is missing; mode is the files' permissions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in contents:
        if (folder / name).is_dir():  # checked first: files replaced before it would not come back
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
    ready: list[tuple[Path, Path]] = []
    try:
        for name, content in contents.items():
            descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            ready.append((Path(temporary), folder / name))
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            set_permissions(Path(temporary), mode)
        for path, final in ready:
            path.replace(final)
        sync_folder(folder)
    finally:
        for path, _ in ready:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def set_permissions(path: Path, mode: int) -> None:
    """Set a file's permissions, where the file system has such: memory cards have none. Raise OSError."""
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def sync_folder(folder: Path) -> None:
    """Make the new names themselves survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):  # the files are there already; some network file systems cannot sync folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
