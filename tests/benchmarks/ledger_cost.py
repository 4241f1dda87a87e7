"""What a photo costs the ledger when it already holds many.

`python -m tests.benchmarks.ledger_cost` fills a ledger, and at each size prints the milliseconds per photo of noticing,
handing out and recording 2,000 more, in groups of 50, with commits that are on disk.
"""

import tempfile
import time
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


def main() -> None:
    """Print a line for each size."""
    with tempfile.TemporaryDirectory(prefix="dogid-ledger-") as folder:
        ledger = Ledger(Path(folder), lambda _: None, Clock())
        model = ledger.register_model(ModelFile(Path("m"), b"", "00", ("cat",), "", None, None, None), ("cat",))
        first = None
        rows = 0
        for size in SIZES:
            while rows < size:
                rows += _answer(ledger, model, rows, min(_FILL_GROUP, size - rows))
            started = time.perf_counter()
            for _ in range(_MEASURED // _GROUP):
                rows += _answer(ledger, model, rows, _GROUP)
            cost = (time.perf_counter() - started) / _MEASURED * 1000
            first = first or cost
            print(f"{size:>9,} rows: {cost:.3f} ms a photo, {cost / first:.2f} of the first", flush=True)  # noqa: T201
        ledger.close()


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
