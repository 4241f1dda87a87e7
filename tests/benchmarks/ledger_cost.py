"""What a photo costs the ledger when it already holds many.

`python -m tests.benchmarks.ledger_cost` fills ledgers of several sizes, and prints for each the milliseconds per photo
of observing, dispatching and recording 2,000 more, in groups of 50, with commits that are on disk: the median of the
groups. The sizes take turns, so that what else the disk does falls on all alike.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Job, Timings
from tests.benchmarks.daemon_lap import disk

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_MEASURED = 2_000
_GROUP = 50
_FILL_GROUP = 5_000


@dataclass(slots=True)
class _Filled:
    """A ledger with so many results at first."""

    ledger: Ledger
    model: int
    rows: int = 0

    def answer(self, count: int) -> float:
        """Notice, hand out and record count photos; return the seconds that it took."""
        started = time.perf_counter()
        photos = range(self.rows, self.rows + count)
        self.ledger.observe([FoundFile(b"%09d.jpg" % at, Version(at, 1000, at)) for at in photos])
        self.ledger.record([_classified(job, self.model) for job in self.ledger.claim(count, ())])
        self.rows += count
        return time.perf_counter() - started


def measure(folder: Path, sizes: Sequence[int]) -> list[tuple[int, float]]:
    """Fill a ledger of each size, in the sub-folder of that name; return the milliseconds that a photo costs there."""
    filled = [_filled(folder / str(size), size) for size in sizes]
    costs: list[list[float]] = [[] for _ in sizes]
    for _ in range(_MEASURED // _GROUP):
        for one, spent in zip(filled, costs, strict=True):
            spent.append(one.answer(_GROUP) / _GROUP * 1000)
    for one in filled:
        one.ledger.close()
    return [(size, statistics.median(spent)) for size, spent in zip(sizes, costs, strict=True)]


def main() -> None:
    """Print a line for each size."""
    with tempfile.TemporaryDirectory(prefix="dogid-ledger-", dir=disk()) as folder:
        found = measure(Path(folder), SIZES)
        first = found[0][1]
        for size, cost in found:
            print(f"{size:>9,} rows: {cost:.3f} ms a photo, {cost / first:.2f} of the first")  # noqa: T201


def _filled(folder: Path, size: int) -> _Filled:
    folder.mkdir()
    ledger = Ledger(folder, lambda _: None, Clock())
    one = _Filled(ledger, ledger.register_model("m", "00", ("cat",)))
    while one.rows < size:
        one.answer(min(_FILL_GROUP, size - one.rows))
    return one


def _classified(job: Job, model: int) -> Classified:
    digest = f"{job.id:064x}"
    return Classified(job, job.version, digest, 640, 480, {"cat": 0.9, "dog": 0.1}, model, Timings(1.0, 1.0, 2.0))


if __name__ == "__main__":
    main()
