"""Bottlenecks on disk, by what they depend on and the photo's content; the least recently used are removed.

`CACHE/bottlenecks/KEY/ab/abcd....npy`. Any part of it may be deleted at any time: what is missing is computed again.
Several runs may use it at the same time.
"""

import contextlib
import io
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.literals import parsing
from dogid.system.atomic_files import write_atomically
from dogid_convert.support import interruption

Half = NDArray[np.float16]

DEFAULT_SIZE = 2_000_000_000
"""Bytes. The recipe of models/README.md takes 0.8 GB; a smaller cache than a run needs is of little use to the next."""
_ABANDONED_AFTER = 86_400.0
"""Seconds after which an empty folder or a temporary file is not of a run that is writing just now."""


@dataclass(frozen=True, slots=True)
class BottleneckCache:
    """The bottlenecks of one kind."""

    folder: Path
    """The user's cache folder, which other kinds share."""
    key: str
    """A file name for all that they depend on but the photo."""

    def read(self, sha256: str, rows: int) -> Half | None:
        """Return a photo's bottlenecks [rows, ...], and mark them as used; None where they are missing or damaged."""
        path = self._path(sha256)
        try:
            data = io.BytesIO(path.read_bytes())
            with parsing:
                values = np.load(data, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if values.dtype != np.float16 or values.shape[0] != rows:
            return None
        with contextlib.suppress(OSError):  # removed meanwhile, or of another user: it only looks older than it is
            os.utime(path)
        return np.asarray(values)

    def write(self, sha256: str, values: Half) -> None:
        """Write a photo's bottlenecks. Raise OSError."""
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        with interruption.sigint_deferred():
            write_atomically(self._path(sha256), buffer.getvalue())

    def _path(self, sha256: str) -> Path:
        return _root(self.folder) / self.key / sha256[:2] / f"{sha256}.npy"


def trim(folder: Path, size: int) -> int:
    """Remove the least recently used bottlenecks of all kinds until they take size bytes. Return how many were removed.

    Files that cannot be removed stay.
    """
    files = sorted(_files(folder))
    total = sum(file.size for file in files)
    removed = 0
    for file in files:
        if total <= size:
            break
        if _remove(file.path):
            total -= file.size
            removed += 1
    _remove_abandoned(folder)
    return removed


@dataclass(frozen=True, slots=True, order=True)
class _File:
    used_at: float
    path: Path
    size: int


def _root(folder: Path) -> Path:
    return folder / "bottlenecks"


def _files(folder: Path) -> Iterator[_File]:
    for path in _root(folder).glob("*/*/[!.]*.npy"):
        try:
            found = path.stat()
        except OSError:  # another run has removed it
            continue
        yield _File(found.st_mtime, path, found.st_size)


def _remove(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files of killed runs, and folders that have long been empty."""
    before = time.time() - _ABANDONED_AFTER
    for pattern, remove in (("*/*/.*", os.unlink), ("*/*", os.rmdir), ("*", os.rmdir)):
        for path in _root(folder).glob(pattern):
            try:
                if path.lstat().st_mtime < before:
                    remove(path)
            except OSError:  # a folder that is not empty, or another run was first
                continue
