"""Whole files in a folder of this machine or of a remote file system, by one interface.

A file appears whole or not at all: locally under another name first, then synced and renamed; in an object store since
an upload appears once it has ended. Of other servers, such as those of FTP and SFTP, a kill may leave a part of a file.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from dogid.archive.remote import explain_remote_error, is_url, open_file_system
from dogid.system.atomic_files import sync_folder, write_atomically


class Storage(Protocol):
    """A folder of whole files, with folders in it. Names are relative, with slashes."""

    @property
    def title(self) -> str:
        """Its path or URL, for messages."""

    def list_names(self, folder: str) -> list[str]:
        """Return the names, relative to the storage, of the files in a folder of it, sorted; none where it is missing.

        Hidden and temporary files are left out.
        """

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is none of that name."""

    def open(self, name: str) -> pa.NativeFile:
        """Return a file that can be sought in, which Arrow reads without Python.

        One of Python's would be let go by a thread of Arrow's, and where that is when Python ends, the process aborts.
        """

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all, with the folders above it. Raise OSError."""

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all that is in it; nothing happens where it is missing."""


def open_storage(place: str) -> Storage:
    """Return the storage of a path or a URL. Raise UsageError where the URL's file system is not installed."""
    return RemoteStorage(place) if is_url(place) else LocalStorage(Path(place))


class LocalStorage:
    """A folder of this machine, or one that is mounted here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve() if ".." in folder.parts else folder.absolute()

    @property
    def title(self) -> str:
        """Its path."""
        return str(self.folder)

    def list_names(self, folder: str) -> list[str]:
        """Return the sorted names of the files in a folder, but for hidden ones."""
        try:
            names = os.listdir(self.folder / folder)
        except FileNotFoundError:
            return []
        return sorted(f"{folder}/{name}".lstrip("/") for name in names if not name.startswith((".", "_")))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for reading."""
        return pa.OSFile(os.fsencode(self.folder / name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, and have it on the disk before it takes its name."""
        write_atomically(self.folder / name, data)

    def delete(self, name: str) -> None:
        """Delete a file or a folder."""
        path = self.folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)


class RemoteStorage:
    """A folder of any file system that fsspec knows."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = open_file_system(url)
        self._url = url

    @property
    def title(self) -> str:
        """Its URL."""
        return self._url

    def list_names(self, folder: str) -> list[str]:
        """Return the sorted names of the files in a folder, but for hidden ones."""
        try:
            with _as_os_error():
                found = self._fs.ls(self._at(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rpartition("/")[2] for path in found)
        return sorted(f"{folder}/{name}".lstrip("/") for name in names if name and not name.startswith((".", "_")))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is none."""
        try:
            with _as_os_error():
                return cast(bytes, self._fs.cat_file(self._at(name)))
        except FileNotFoundError:
            return None

    def open(self, name: str) -> pa.NativeFile:
        """Return a file's content as a file: parts are of a few megabytes."""
        with _as_os_error():
            data = self._fs.cat_file(self._at(name))
        copy = pa.BufferOutputStream()  # in memory of Arrow's
        copy.write(data)
        return pa.BufferReader(copy.getvalue())

    def write(self, name: str, data: bytes) -> None:
        """Upload a file, which appears once that has ended."""
        path = self._at(name)
        with _as_os_error():
            if not _has_no_folders(self._fs):
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data)

    def delete(self, name: str) -> None:
        """Delete a file or a folder."""
        with contextlib.suppress(FileNotFoundError), _as_os_error():
            self._fs.rm(self._at(name), recursive=True)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise what a file system raises as OSError with its reason in plain words; FileNotFoundError as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # each file system has its own
        raise OSError(errno.EIO, explain_remote_error(error)) from error


def _has_no_folders(fs: Any) -> bool:
    """Whether making a folder would make a bucket, or nothing."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return bool({"s3", "gs", "gcs", "az", "abfs"} & set(protocols))
