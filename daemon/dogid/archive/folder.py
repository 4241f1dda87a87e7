"""An archive in a folder of this machine: listed and read by the rules of the daemon's inbox."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from dogid.archive.entries import Entry, make_entry
from dogid.archive.source import ReadFile
from dogid.errors import PhotoCode, PhotoError, UsageError
from dogid.file_names import possible_names, shown_name
from dogid.inbox.read import TemporaryError, read_photo
from dogid.inbox.scan import ScanErrors, scan

# For a file that changes while it is read. More attempts or a longer pause wait longer for a program that writes on and
# on; fewer fail photos of a copy that is nearly done.
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2


class Folder:
    """A folder with all folders in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start = shown_name(os.fsencode(folder)).rstrip("/") + "/"
        self._errors = ScanErrors({})
        self._identity = _identify(folder)

    @property
    def name(self) -> str:
        """The folder's absolute path."""
        return str(self._folder)

    @property
    def root(self) -> str:
        """The folder."""
        return str(self._folder)

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield what the daemon would take for photos, folder by folder. Raise UsageError."""
        self._errors = ScanErrors({})
        try:
            for path, version in scan(self._folder, self._errors):
                yield make_entry(shown_name(path), version.size, version.mtime_ns // 1000)
        except OSError as error:
            raise UsageError(f"{self._folder}: the folder cannot be read: {error.strerror}") from error

    def locate(self, file: str) -> str:
        """Return a path relative to the folder: results of a list in it may have it whole."""
        return file.removeprefix(self._start)

    def list_problems(self) -> list[str]:
        """Return the folders that could not be read."""
        return [f"{self._folder}/{shown_name(name)}: {reason}" for name, reason in self._errors.folders.items()]

    def read(self, entry: Entry, max_bytes: int) -> ReadFile:
        """Read a photo as the daemon does. Raise PhotoError."""
        try:
            return read_local(self._folder, possible_names(entry.file)[0], max_bytes)
        except PhotoError as error:
            if error.code is PhotoCode.VANISHED and _identify(self._folder) != self._identity:
                reason = f"{self._folder} is no longer the folder that it was: was its disk unmounted?"
                raise PhotoError(PhotoCode.UNREADABLE, reason) from error
            raise


def _identify(folder: Path) -> tuple[int, int] | None:
    """Return the device and the number of a folder; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def read_local(folder: Path, path: bytes, max_bytes: int) -> ReadFile:
    """Read the file at a path relative to a folder, by the rules of the inbox. Raise PhotoError."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            read = read_photo(folder, path, max_bytes)
        except TemporaryError as error:
            raise PhotoError(PhotoCode.UNREADABLE, str(error)) from error
        if read.unchanged:
            return ReadFile(read.data, read.version.size, read.version.mtime_ns // 1000)
    raise PhotoError(PhotoCode.TRUNCATED, "the file changed each time that it was read")
