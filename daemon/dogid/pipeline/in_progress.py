"""Which photos are being decoded right now, and which may have killed the daemon, in a small file that outlives it.

A decoder can be killed by what it decodes: by a fault in its own code, or by the kernel where memory runs out. The next
start would take up the same photo, and end the same way. By the file it knows which photos were in progress: they are
suspects until they have been tried, in a process of their own.
"""

import contextlib
import os
import struct
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

_FILE_NAME = "in-hand"  # as earlier versions called it: an upgrade must find what they left
_ENTRY = struct.Struct("<q")  # a photo's id, or 0
_REQUEST = -1  # in the place of an id: a photo that a request has sent or named
# More than there are workers, with those that hang: photos beyond it are not tracked. Raising it makes the file larger.
_ENTRIES = 256


class InProgress:
    """The file. Written without fsync: it is to outlive the process; after a power cut it may be empty."""

    def __init__(self, folder: Path) -> None:
        """Open the file in folder, and read what the previous process left in it. Raise OSError."""
        self._descriptor = os.open(folder / _FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._lock = threading.Lock()
        left, suspects = self._read(0), self._read(_ENTRIES)
        self.left_over = sorted({number for number in left if number > 0})
        """The ids of photos that were in progress when the previous process died."""
        self.left_requests = left.count(_REQUEST)
        """How many photos of requests were."""
        self._suspects = dict(zip(dict.fromkeys([*self.left_over, *suspects]), range(_ENTRIES), strict=False))
        self._untried = set(self._suspects)
        self._free = list(range(_ENTRIES))
        self._write_all(_ENTRIES, list(self._suspects))
        self.clear()

    @property
    def suspects(self) -> Collection[int]:
        """The ids of photos that may have killed a daemon."""
        return tuple(self._suspects)

    @property
    def untried(self) -> Collection[int]:
        """Those of the suspects that this process has not tried yet."""
        return self._untried

    def is_suspect(self, photo_id: int) -> bool:
        """Whether a photo may have killed a daemon."""
        return photo_id in self._suspects

    def note_tried(self, photo_id: int) -> None:
        """Note that a photo was tried: it may be again, in the same way."""
        self._untried.discard(photo_id)

    def acquit(self, ids: Collection[int]) -> None:
        """Note that photos are no suspects any more: they have a result, or have left."""
        if not self._suspects:
            return  # nearly always
        with self._lock:
            self._untried.difference_update(ids)
            for photo_id in ids:
                entry = self._suspects.pop(photo_id, None)
                if entry is not None:
                    self._write(_ENTRIES + entry, 0)

    def track_request(self) -> contextlib.AbstractContextManager[None]:
        """Keep a photo that a request has sent or named in the file for as long as the context lasts."""
        return self.track(_REQUEST)

    @contextlib.contextmanager
    def track(self, photo_id: int) -> Iterator[None]:
        """Keep a photo's id in the file for as long as the context lasts."""
        entry = self.begin(photo_id)
        try:
            yield
        finally:
            self.end(entry)

    def begin(self, photo_id: int) -> int | None:
        """Keep a photo's id in the file until `end` is called with what is returned; so `track` does, in more time."""
        try:
            entry = self._free.pop()
        except IndexError:
            return None
        self._write(entry, photo_id)
        return entry

    def end(self, entry: int | None) -> None:
        """Remove from the file what `begin` wrote to it."""
        if entry is not None:
            self._write(entry, 0)
            self._free.append(entry)

    def clear(self) -> None:
        """Note that nothing is in progress: the process is about to end as it should."""
        self._write_all(0, [])

    def _read(self, first: int) -> list[int]:
        data = os.pread(self._descriptor, _ENTRIES * _ENTRY.size, first * _ENTRY.size)
        whole = data[: len(data) - len(data) % _ENTRY.size]
        return [number for (number,) in _ENTRY.iter_unpack(whole) if number > 0 or number == _REQUEST]

    def _write_all(self, first: int, numbers: list[int]) -> None:
        data = b"".join(_ENTRY.pack(number) for number in numbers).ljust(_ENTRIES * _ENTRY.size, b"\0")
        with contextlib.suppress(OSError):  # no room on the disk: the next start suspects photos that are innocent
            os.pwrite(self._descriptor, data, first * _ENTRY.size)

    def _write(self, entry: int, photo_id: int) -> None:
        try:
            os.pwrite(self._descriptor, _ENTRY.pack(photo_id), entry * _ENTRY.size)
        except OSError:
            return
