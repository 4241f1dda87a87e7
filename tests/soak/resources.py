"""What a process uses of the machine, sampled while it runs."""

import os
import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process uses at one moment."""

    rss: float
    """Resident memory in MB (10^6 bytes)."""
    descriptors: int
    threads: int


def sample(pid: int) -> Sample:
    """Return what the process uses now."""
    process = Path(f"/proc/{pid}")
    resident = int((process / "statm").read_text().split()[1]) * _PAGE / 1e6
    return Sample(resident, len(os.listdir(process / "fd")), len(os.listdir(process / "task")))


@dataclass(slots=True)
class Sampler:
    """Samples once a second, in a thread, from `start` to `stop`."""

    pid: int
    samples: list[Sample] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to sample."""
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(1.0):
            self.samples.append(sample(self.pid))

    def thirds(self, of: Callable[[Sample], float]) -> tuple[float, float, float]:
        """The median of a figure in the first, second and last third of the time."""
        third = len(self.samples) // 3
        parts = (self.samples[:third], self.samples[third : 2 * third], self.samples[2 * third :])
        first, second, last = (statistics.median(map(of, part)) if part else 0.0 for part in parts)
        return first, second, last
