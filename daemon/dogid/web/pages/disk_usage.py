"""How much room the disks have, looked up beside the server's threads: a disk that hangs shall hang alone."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock, iso_utc

_PATIENCE_SECONDS = 0.2  # a disk that is well answers in microseconds


@dataclass(frozen=True, slots=True)
class Room:
    """What a disk told last."""

    total: int
    """Bytes, as are these:"""
    free: int
    device: int
    """The same for folders on the same disk."""
    moment: str
    """When it told this, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a folder's disk."""

    room: Room | None
    """The last figures; None where there never were any."""
    trouble: str | None
    """Why they are not of now; None where they are."""


class Disk:
    """The disk of a folder. Asking never takes longer than the patience, whatever the disk does."""

    def __init__(self, folder: Path, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self.folder = folder
        self._patience = patience_seconds
        self._lock = threading.Lock()
        self._told = Told(None, None)
        self._answered: threading.Event | None = None
        self._is_late = False

    def told(self) -> Told:
        """Return the figures of now, or the last ones and why they are not of now."""
        with self._lock:
            answered = self._answered
            if answered is None:
                answered = self._answered = threading.Event()
                threading.Thread(target=self._look, args=(answered,), name="disk", daemon=True).start()
            patience = 0.0 if self._is_late else self._patience
        in_time = answered.wait(patience)
        with self._lock:
            if in_time or self._answered is not answered:
                return self._told
            self._is_late = True  # nobody else waits for this look
            return Told(self._told.room, "the disk does not answer")

    def _look(self, answered: threading.Event) -> None:
        room, trouble = None, None
        try:
            room = _room(self.folder)
        except OSError as error:
            trouble = error.strerror or str(error)
        with self._lock:
            self._told = Told(room or self._told.room, trouble)
            self._answered, self._is_late = None, False
            answered.set()


def _room(folder: Path) -> Room:
    device = os.stat(folder).st_dev
    figures = os.statvfs(folder)
    size = figures.f_frsize
    return Room(figures.f_blocks * size, figures.f_bavail * size, device, iso_utc(Clock().wall_ms()))
