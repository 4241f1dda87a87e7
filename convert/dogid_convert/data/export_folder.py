"""The folder that an export writes: photos in label folders, opened one within the other and never through links."""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from dogid.dataset.label_folders import LABEL_FILE
from dogid.errors import DogidError, UsageError
from dogid.system.atomic_files import sync_folder

WITHDRAWN = ".withdrawn"
"""The folder of photos that have no label any more and are nowhere else: hidden, so that training leaves them out."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PART = ".export-part"
"""What a file is called until it is whole; the same for all, so that an export that was killed leaves few behind."""
_CHUNK = 1 << 20
_WITH_DIGEST = re.compile(r".*-([0-9a-f]{12})(\.[^.]*)*")


class ExportFolder:
    """An open folder of an export, which no other export uses meanwhile. A context that closes it.

    The files inside are named `folder/name`.
    """

    def __init__(self, path: Path) -> None:
        """Open path, and make it where it is missing. Raise OSError, or UsageError where another export writes it."""
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._written: dict[str, set[str]] = {}
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._root)
            raise UsageError(f"{path}: another export writes there; run this one after it") from None
        except OSError:  # some network file systems cannot lock folders
            pass

    def __enter__(self) -> "ExportFolder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def read_digest(self, file: str) -> str | None:
        """Return the SHA-256 of a file's content, in hex; "" where it is no regular file, None where nothing is."""
        with contextlib.suppress(FileNotFoundError), self._open(file) as (folder, name):
            return _read_digest(folder, name)
        return None

    def write(self, file: str, source: int, sha256: str, *, hardlink: bool) -> int | None:
        """Copy an open file, or link it, where it has a content; return its size in bytes, None where it has not.

        file: replaced where it exists. Raise OSError.
        """
        with self._open(file, create=True) as (folder, name):
            size = _write_part(folder, source, sha256, hardlink=hardlink)
            if size is not None:
                os.replace(_PART, name, src_dir_fd=folder, dst_dir_fd=folder)
                self._note_written(file)
        if size is None:
            self._remove_empty(file.partition("/")[0])
        return size

    def move(self, file: str, to: str) -> int:
        """Move a file to where none is, and delete its folder where nothing else is in it; return its size in bytes."""
        with self._open(file) as (folder, name), self._open(to, create=True) as (target, new):
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=target)
            self._note_written(to)
            size = os.stat(new, dir_fd=target, follow_symlinks=False).st_size
        self._remove_empty(file.partition("/")[0])
        return size

    def remove(self, file: str) -> None:
        """Delete a file, and its folder where nothing else is in it."""
        with self._open(file) as (folder, name):
            os.unlink(name, dir_fd=folder)
        self._remove_empty(file.partition("/")[0])

    def withdraw(self, file: str, sha256: str) -> str:
        """Move a file of that content into the folder of withdrawn ones, and return its name there."""
        base = file.rpartition("/")[2]
        for number in itertools.count():
            to = f"{WITHDRAWN}/{base}{f'.{number}' if number else ''}"
            there = self.read_digest(to)
            if there == sha256:
                self.remove(file)
                return to
            if there is None:
                self.move(file, to)
                return to
        raise AssertionError

    def list_withdrawn(self) -> dict[str, str]:
        """Return the withdrawn files by the first 12 digits of their content's hash, which is part of their names."""
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError), self._open(f"{WITHDRAWN}/") as (folder, _):
            names = os.listdir(folder)
        return {found[1]: f"{WITHDRAWN}/{name}" for name in names if (found := _WITH_DIGEST.fullmatch(name))}

    def write_label(self, folder: str, label: str) -> None:
        """Write the label of a folder beside its photos, unless it is the folder's name or no label can be trained."""
        if folder == label or not label.isprintable():
            return
        with self._open(f"{folder}/{LABEL_FILE}", create=True) as (descriptor, name):
            with contextlib.suppress(FileNotFoundError):
                os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                return  # somebody may have changed it
            with os.fdopen(_create_part(descriptor), "w", encoding="utf-8") as file:
                file.write(f"{label}\n")
                os.fchmod(file.fileno(), 0o644)
            os.replace(_PART, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
            self._note_written(f"{folder}/{name}")

    def sync(self) -> None:
        """Make everything that was written so far survive a power cut. Raise OSError."""
        for folder, names in self._written.items():
            with contextlib.suppress(FileNotFoundError), self._open(f"{folder}/") as (descriptor, _):
                for name in names:
                    with contextlib.suppress(FileNotFoundError), _opened(name, _FILE, descriptor) as file:
                        os.fsync(file)
                with contextlib.suppress(OSError):  # some network file systems cannot sync folders
                    os.fsync(descriptor)
        self._written.clear()
        sync_folder(self.path)

    def _note_written(self, file: str) -> None:
        folder, _, name = file.partition("/")
        self._written.setdefault(folder, set()).add(name)

    @contextlib.contextmanager
    def _open(self, file: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder of a file, and return it with the file's name in it. Raise OSError."""
        folder, _, name = file.partition("/")
        path = self.path / folder
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=self._root)
        try:
            descriptor = os.open(folder, _FOLDER, dir_fd=self._root)
        except OSError as error:
            error.filename = str(path)
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise DogidError(
                    f"{path} is a link or a file, through which no photo is written: move it away, or give another DIR"
                ) from None
            raise
        try:
            yield descriptor, name
        except OSError as error:
            error.filename = str(path / name)
            raise
        finally:
            os.close(descriptor)

    def _remove_empty(self, folder: str) -> None:
        with self._open(f"{folder}/") as (descriptor, _):
            inside = os.listdir(descriptor)
            if not set(inside) <= {LABEL_FILE, _PART}:
                return
            for name in inside:
                os.unlink(name, dir_fd=descriptor)
            os.rmdir(folder, dir_fd=self._root)


@contextlib.contextmanager
def _opened(name: str, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_digest(folder: int, name: str) -> str:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return ""
    with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _create_part(folder: int) -> int:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_PART, dir_fd=folder)
    return os.open(_PART, _NEW, 0o600, dir_fd=folder)


def _write_part(folder: int, source: int, sha256: str, *, hardlink: bool) -> int | None:
    """Make the file that is to be renamed, of an open file that has a content; return its size, None without one."""
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(_create_part(folder), "wb") as file:
            while chunk := os.read(source, _CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if not hardlink:
                    file.write(chunk)
            os.fchmod(file.fileno(), 0o644)
        if digest.hexdigest() != sha256:
            os.unlink(_PART, dir_fd=folder)
            return None
        if hardlink:
            os.unlink(_PART, dir_fd=folder)
            try:  # it follows that link, to the file
                os.link(f"/proc/self/fd/{source}", _PART, src_dir_fd=source, dst_dir_fd=folder)
            except OSError:  # another file system, or one without links
                os.lseek(source, 0, os.SEEK_SET)
                return _write_part(folder, source, sha256, hardlink=False)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(_PART, dir_fd=folder)
        raise
    return size
