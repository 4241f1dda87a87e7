"""Total and free bytes of a folder's disk. While the disk hangs, one thread waits for it, and no request."""

import os
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock, iso_utc
from dogid.web.deadline_executor import BusyError, DeadlineExecutor

_TIMEOUT_SECONDS = 0.2
"""A sound disk answers in microseconds. Raising it slows the page while a disk hangs; lowering it fails busy disks."""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """The figures of a disk at one moment."""

    total: int
    """Bytes."""
    free: int
    """Bytes that the daemon may still write."""
    device: int
    """The same for folders on the same disk."""
    measured_at: str
    """ISO 8601."""


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """What is known of a folder's disk."""

    usage: DiskUsage | None
    """The last figures; None where there never were any."""
    error: str | None
    """Why they are not up to date; None where they are."""


class Disk:
    """The disk of a folder."""

    def __init__(self, folder: Path, timeout: float = _TIMEOUT_SECONDS) -> None:
        """Set up; status takes at most some timeout seconds, whatever the disk does."""
        self.folder = folder
        self._timeout = timeout
        # one thread that hangs is enough: until it comes back, nothing waits for the disk
        self._executor = DeadlineExecutor(f"disk of {folder}", max_wait=timeout, max_hung=1)
        self._last: DiskUsage | None = None

    def status(self) -> DiskStatus:
        """Return the present figures, or the last ones and why they are not up to date."""
        try:
            self._last = self._executor.run(lambda: _measure(self.folder), self._timeout)
        except BusyError:
            return DiskStatus(self._last, "the disk does not answer")
        except OSError as error:
            return DiskStatus(self._last, error.strerror or str(error))
        return DiskStatus(self._last, None)


def _measure(folder: Path) -> DiskUsage:
    device = os.stat(folder).st_dev
    figures = os.statvfs(folder)
    size = figures.f_frsize
    return DiskUsage(figures.f_blocks * size, figures.f_bavail * size, device, iso_utc(Clock().wall_ms()))
