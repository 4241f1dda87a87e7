"""What an attack makes the daemon hold."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.daemon import DaemonProcess

MIB = 1 << 20


@dataclass(slots=True)
class Peak:
    """The most of the machine that the daemon held, beyond what it held before."""

    resident: int = 0
    disk: int = 0


@contextmanager
def measure_peak(daemon: DaemonProcess) -> Iterator[Peak]:
    """Watch a daemon's memory and its unnamed temporary files while the context lasts."""
    peak, over, before = Peak(), threading.Event(), resident(daemon)

    def look() -> None:
        while not over.wait(0.01):
            peak.resident = max(peak.resident, resident(daemon) - before)
            peak.disk = max(peak.disk, _temporary(daemon))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def resident(daemon: DaemonProcess) -> int:
    """Bytes of memory that the daemon has now."""
    return int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_idle(daemon: DaemonProcess) -> bool:
    """Whether the daemon takes no processor time for a third of a second."""
    before = _processor_ticks(daemon)
    time.sleep(0.33)
    return _processor_ticks(daemon) == before


def _processor_ticks(daemon: DaemonProcess) -> int:
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return int(user) + int(system)


def _temporary(daemon: DaemonProcess) -> int:
    """Bytes in files that the daemon has open and that have no name."""
    total = 0
    for entry in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with suppress(OSError):
            if os.readlink(entry).endswith("(deleted)"):
                total += entry.stat().st_size
    return total
