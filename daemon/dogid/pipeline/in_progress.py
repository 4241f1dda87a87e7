"""Which photos are being decoded right now, in a small file that outlives the process.

A decoder can be killed by what it decodes: by a fault in its own code, or by the kernel where memory runs out. The next
start would take up the same photo, and end the same way. By the file it knows which photos were in progress.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

_FILE_NAME = "in-hand"  # as earlier versions called it: an upgrade must find what they left
_ENTRY = struct.Struct("<q")  # a photo's id, or 0
# More than there are workers, with those that hang: photos beyond it are not tracked. Raising it makes the file larger.
_ENTRIES = 256


class InProgress:
    """The file. Written without fsync: it is to outlive the process; after a power cut it may be empty."""

    def __init__(self, folder: Path) -> None:
        """Open the file in folder, and read what the previous process left in it. Raise OSError."""
        self._descriptor = os.open(folder / _FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        data = os.pread(self._descriptor, _ENTRIES * _ENTRY.size, 0)
        whole = data[: len(data) - len(data) % _ENTRY.size]
        self.left_over = sorted({number for (number,) in _ENTRY.iter_unpack(whole) if number > 0})
        """The ids of photos that were in progress when the previous process died."""
        self._free = list(range(_ENTRIES))
        self.clear()

    @contextlib.contextmanager
    def track(self, photo_id: int) -> Iterator[None]:
        """Keep a photo's id in the file for as long as the context lasts."""
        try:
            entry = self._free.pop()
        except IndexError:
            yield
            return
        self._write(entry, photo_id)
        try:
            yield
        finally:
            self._write(entry, 0)
            self._free.append(entry)

    def clear(self) -> None:
        """Empty the file: the process is about to end as it should."""
        with contextlib.suppress(OSError):  # no room on the disk: the next start suspects photos that are innocent
            os.pwrite(self._descriptor, bytes(_ENTRIES * _ENTRY.size), 0)

    def _write(self, entry: int, photo_id: int) -> None:
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, _ENTRY.pack(photo_id), entry * _ENTRY.size)
