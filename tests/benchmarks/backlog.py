"""How a daemon fares with many photos waiting for it at its start.

`python -m tests.benchmarks.backlog` prints, for 1,000, 10,000 and 100,000 photos (hard links to a few): seconds from
the start of the process to the first result and until all are known, the time to answer a photo that comes into the
backlog, photos answered per second at the beginning and later, and the process's peak memory.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import UsageError
from dogid.ledger import queries
from dogid.ledger.database import open_for_reading
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

_KINDS = 8
_SIDE = 320
_PER_FOLDER = 1000
_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one size of backlog."""

    photos: int
    first_result_seconds: float
    all_known_seconds: float
    arrival_seconds: float
    """From the copying of a new photo to its result, while the backlog waits."""
    per_second_early: float
    per_second_late: float
    """When as many as `answered` had been answered."""
    answered: int
    peak_mib: float
    """Of the process, once all photos were known and many answered."""

    def line(self) -> str:
        """For people."""
        return (
            f"{self.photos:>7} photos: first result {self.first_result_seconds:5.2f} s, all known"
            f" {self.all_known_seconds:6.2f} s, new arrival {self.arrival_seconds * 1000:4.0f} ms,"
            f" {self.per_second_early:4.0f} and later {self.per_second_late:4.0f} photos/s"
            f" (to {self.answered}), peak memory {self.peak_mib:4.0f} MiB"
        )


def fill(inbox: Path, count: int) -> None:
    """Make count photos, as hard links to a few, in folders."""
    sources = [
        put(inbox.parent / "sources" / str(number), photo(number, size=(_SIDE, _SIDE))) for number in range(_KINDS)
    ]
    for number in range(count):
        folder = inbox / f"{number // _PER_FOLDER:03}"
        if number % _PER_FOLDER == 0:
            folder.mkdir(parents=True)
        os.link(sources[number % _KINDS], folder / f"{number:06}.jpg")


def measure(folder: Path, count: int, *, at_least: int) -> Figures:
    """Start a daemon on so many photos, and let it answer at least so many of them."""
    inbox, state = folder / "inbox", folder / "state"
    fill(inbox, count)
    daemon = DaemonProcess(inbox, state)
    begun = time.monotonic()
    daemon.launch()
    try:
        first = _when(begun, lambda: _counts(state)["classified"] > 0, "the first result")
        known = _when(begun, lambda: sum(_counts(state).values()) >= count, "all photos are known")
        early = _rate(state, min(at_least, count) // 4)
        arrival = _arrival(inbox, state)
        eventually(lambda: _counts(state)["classified"] >= min(at_least, count) - 200, "many are answered", _TIMEOUT)
        late = _rate(state, min(at_least, count) // 4) if count > at_least else early
        return Figures(count, first, known, arrival, early, late, _counts(state)["classified"], peak_mib(daemon.pid))
    finally:
        daemon.close()


def peak_mib(pid: int) -> float:
    """The most memory that a process has had (VmHWM of proc(5)), in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmHWM")


def _when(begun: float, is_so: Callable[[], bool], what: str) -> float:
    eventually(is_so, what, _TIMEOUT)
    return time.monotonic() - begun


def _rate(state: Path, more: int) -> float:
    """Photos per second, over so many more of those that are known, or over all that are left."""
    begun, counts = time.monotonic(), _counts(state)
    before = counts["classified"]
    wanted = min(before + more, counts["classified"] + counts["pending"])
    eventually(lambda: _counts(state)["classified"] >= wanted, "more are answered", _TIMEOUT)
    return (_counts(state)["classified"] - before) / max(time.monotonic() - begun, 1e-9)


def _arrival(inbox: Path, state: Path) -> float:
    put(inbox / "arrival.jpg", photo(1000, size=(_SIDE, _SIDE)))
    return _when(time.monotonic(), lambda: is_answered(state, "arrival.jpg"), "the new photo is answered")


def is_answered(state: Path, name: str) -> bool:
    db = open_for_reading(state)
    try:
        found = queries.find_photo(db, name)
        result = None if found is None else queries.find_result(db, found)
        return result is not None and result["status"] == "classified"
    finally:
        db.close()


def _counts(state: Path) -> dict[str, int]:
    try:
        db = open_for_reading(state)
    except UsageError:
        return {"pending": 0, "classified": 0, "failed": 0}
    try:
        return queries.count_by_status(db)
    finally:
        db.close()


def main() -> None:
    """Print the figures of each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--answer", type=int, default=8_000, help="how many photos to wait for in large backlogs")
    args = parser.parse_args()
    for count in args.sizes:
        with tempfile.TemporaryDirectory(prefix="dogid-backlog-") as folder:
            print(measure(Path(folder), count, at_least=args.answer).line(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
