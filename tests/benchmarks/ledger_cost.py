"""What a photo costs the ledger when it already holds many.

`python -m tests.benchmarks.ledger_cost` fills a ledger, and at each size prints the milliseconds per photo of noticing,
handing out and recording 2,000 more, in groups of 50, with commits that are on disk: the median of the groups.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dogid.clock import Clock
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.ledger import Ledger
from dogid.ledger.records import Classified, Job, Timings
from dogid.model.modelfile import ModelFile

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_MEASURED = 2_000
_GROUP = 50
_FILL_GROUP = 5_000


def measure(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[int, float]]:
    """Fill a ledger in folder; yield each size with the milliseconds of processor and disk that a photo costs there."""
    ledger = Ledger(folder, lambda _: None, Clock())
    model = ledger.register_model(ModelFile(Path("m"), b"", "00", ("cat",), "", None, None, None), ("cat",))
    rows = 0
    for size in sizes:
        while rows < size:
            rows += _answer(ledger, model, rows, min(_FILL_GROUP, size - rows))
        costs = []
        for _ in range(_MEASURED // _GROUP):
            started = time.perf_counter()
            rows += _answer(ledger, model, rows, _GROUP)
            costs.append((time.perf_counter() - started) / _GROUP * 1000)
        yield size, statistics.median(costs)
    ledger.close()


def main() -> None:
    """Print a line for each size."""
    with tempfile.TemporaryDirectory(prefix="dogid-ledger-") as folder:
        first = None
        for size, cost in measure(Path(folder), SIZES):
            first = first or cost
            print(f"{size:>9,} rows: {cost:.3f} ms a photo, {cost / first:.2f} of the first", flush=True)  # noqa: T201


def _answer(ledger: Ledger, model: int, start: int, count: int) -> int:
    """Notice, hand out and record count photos."""
    ledger.observe([FoundFile(b"%09d.jpg" % at, Version(at, 1000, at)) for at in range(start, start + count)])
    ledger.record([_classified(job, model) for job in ledger.claim(count, ())])
    return count


def _classified(job: Job, model: int) -> Classified:
    digest = f"{job.id:064x}"
    return Classified(job, job.version, digest, 640, 480, {"cat": 0.9, "dog": 0.1}, model, Timings(1.0, 1.0, 2.0))


if __name__ == "__main__":
    main()
