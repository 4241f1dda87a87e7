"""What the daemon holds and uses: memory idle, in a backlog and with a million results; the processor when idle."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import backlog, ledger_cost
from tests.benchmarks.daemon_lap import daemon, disk, wait_for
from tests.benchmarks.process import cpu_seconds, peak_resident_mb, resident_mb
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo

_REST_SECONDS = 1.5
_TINY = 64


@dataclass(frozen=True, slots=True)
class Idle:
    """A daemon with nothing to do."""

    memory_unasked_mb: float
    """Before the first photo and the first request."""
    memory_mb: float
    """Before the first photo, and after the first request."""
    memory_after_mb: float
    """After it has answered them all."""
    photos: int
    cpu_percent: float
    """Of one core, with so many answered photos in the inbox."""


def idle(folder: Path, photos: int, seconds: float) -> Idle:
    """Start a daemon, let it answer tiny photos, and leave it alone for so long that it scans the inbox meanwhile."""
    with daemon(folder) as process:
        time.sleep(_REST_SECONDS)
        unasked = resident_mb(process.pid)
        process.status()
        time.sleep(_REST_SECONDS)
        memory = resident_mb(process.pid)
        data = photo(1, size=(_TINY, _TINY))
        begun = time.perf_counter()
        for number in range(photos):
            (process.inbox / f"{number:06}.jpg").write_bytes(data)
        wait_for(process, photos, begun)
        time.sleep(_REST_SECONDS)
        cpu = cpu_seconds(process.pid)
        time.sleep(seconds)
        percent = (cpu_seconds(process.pid) - cpu) / seconds * 100
        return Idle(unasked, memory, resident_mb(process.pid), photos, percent)


def memory_in_backlog(folder: Path, photos: int, seconds: float) -> float:
    """The most memory of a daemon's first so many seconds on so many photos (hard links to a few), in MB."""
    with tempfile.TemporaryDirectory(prefix="dogid-backlog-", dir=folder) as name:
        inbox = Path(name) / "inbox"
        backlog.fill(inbox, photos)
        process = DaemonProcess(inbox, Path(name) / "state")
        try:
            process.start()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline or sum(process.status()["counts"].values()) < photos:
                time.sleep(0.5)
            return peak_resident_mb(process.pid)
        finally:
            process.close()


@dataclass(frozen=True, slots=True)
class Grown:
    """A ledger that has grown large."""

    milliseconds: Sequence[tuple[int, float]]
    """Per photo, at so many rows."""
    memory_mb: float
    """Of a daemon on the largest one, after requests."""

    @property
    def spread(self) -> float:
        """The dearest size over the first."""
        return max(cost for _, cost in self.milliseconds) / self.milliseconds[0][1]


def grown(sizes: Sequence[int], report: Callable[[str], None]) -> Grown:
    """Fill ledgers, measure what a photo costs at each size, and start a daemon on the largest."""
    with tempfile.TemporaryDirectory(prefix="dogid-ledger-", dir=disk()) as name:
        costs = ledger_cost.measure(Path(name), sizes)
        for size, cost in costs:
            report(f"{size:,} rows: {cost:.4f} ms a photo")
        with daemon(Path(name), state=Path(name) / str(sizes[-1])) as process:
            for path in ("/status", "/results?limit=1000", "/results?status=classified"):
                process.get(path)
            time.sleep(_REST_SECONDS)
            return Grown(costs, resident_mb(process.pid))
