"""What the page costs the daemon when its ledger holds many photos.

`python -m tests.benchmarks.page_cost` fills a ledger with photos of the last twenty days and, at each size, prints the
milliseconds of the first `GET /` after new results, which counts them by day and label, and of the next ones; then of
each view in VIEWS, and the 95th percentile of all, by the clock and of the processor. The goal is 50 ms. What pages of
`/results` in RESULTS cost comes after that. `--sizes 1000` fills less.
"""

import argparse
import contextlib
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from flask.testing import FlaskClient

from dogid.clock import Clock
from dogid.daemon.daemon import Daemon
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Job, Timings
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from tests.support.clocks import SetClock

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CAMERAS = ("Back Garden", "Drive", "Front Door", "Hedge", "Nest Box", "Pond", "Shed", "Workshop")
LABELS = ("badger", "cat", "dog", "fox", "hedgehog", "marten", "nothing", "person")
VIEWS = (
    "/", "/?status=failed", "/?status=classified", "/?label=fox", "/?label=fox&before=500", "/?before={middle}",
    "/?folder=Drive", "/?folder=Back+Garden", "/?folder=Back+Garden&label=fox&unsure=yes", "/?unsure=yes",
    "/?label=cat&unsure=yes&folder=Pond", "/?name=00012", "/?name=none-like-this", "/?reviewed=true",
    "/?reviewed=false", "/?show=gone", "/?show=all", "/page/label?label=fox", "/?show=gone&label=fox",
    "/?label=fox&reviewed=true", "/?label=fox&reviewed=false&status=classified", "/?folder=None-like-this",
    "/page/photo/{middle}", "/page/photo/{middle}?label=fox",
    "/page/photo/{middle}?folder=Back+Garden&label=fox&unsure=yes", "/page/photo/{middle}?name=none-like-this",
    "/page/full/{middle}?label=fox",
)  # fmt: skip
"""Of the page, with the id of a photo in the middle."""
RESULTS = (
    "/results?limit={limit}", "/results?min_score=0.999&limit={limit}", "/results?max_score=0.1&limit={limit}",
    "/results?folder=Drive/2027&limit={limit}", "/results?folder=Back+Garden&limit={limit}",
    "/results?since={tomorrow}&limit={limit}", "/results?label=fox&present=false&limit={limit}",
    "/results?reviewed=true&label=fox&limit={limit}",
)  # fmt: skip
"""Pages of `/results`, most of which find nothing; with another limit each time, as pages are cached."""
_DAY_MS = 86_400_000
_DAYS = 20
_GROUP = 5_000
_ASKED = 15


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="photos in the ledger")
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory(prefix="dogid-page-") as folder:
            fill(Path(folder) / "state", size)
            print(f"{size:>9,} photos: {measure(Path(folder))}", flush=True)  # noqa: T201


def measure(folder: Path) -> str:
    """Return what the first page and the following ones cost, in words."""
    (folder / "inbox").mkdir()
    service = Daemon(Settings(inbox=folder / "inbox", state=folder / "state"))
    asked = create_app(service, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    asked.get("/page/login")  # templates are compiled once
    costs: list[float] = []
    for _ in range(_ASKED):
        began = time.perf_counter()
        assert asked.get("/").status_code == 200
        costs.append((time.perf_counter() - began) * 1000)
    walls, cpus, parts = _measure_each(asked, VIEWS, _middle(folder))
    of_results = _measure_each(asked, RESULTS, _middle(folder))[2]
    service.ledger.close()
    percentiles = [statistics.quantiles(times, n=20)[-1] for times in (walls, cpus)]
    return "\n  ".join(
        [
            f"first {costs[0]:.1f} ms, then {statistics.median(costs[1:]):.1f} ms",
            "by view, in ms, and of the processor in brackets:",
            *parts,
            "95 % of all views take at most {:.1f} ms ({:.1f})".format(*percentiles),
            *of_results,
        ]
    )


def _measure_each(
    asked: FlaskClient, addresses: Sequence[str], middle: int
) -> tuple[list[float], list[float], list[str]]:
    """Return the milliseconds of all answers, by the clock and of the processor, and each address's median in words."""
    walls, cpus, parts = list[float](), list[float](), list[str]()
    tomorrow = dt.date.today() + dt.timedelta(days=1)  # noqa: DTZ011
    for address in addresses:
        values = {"middle": middle, "tomorrow": tomorrow}
        taken = [_time(asked, address.format(**values, limit=50 + number)) for number in range(_ASKED)]
        walls += [wall for wall, _ in taken]
        cpus += [cpu for _, cpu in taken]
        parts.append(f"{address} {statistics.median(walls[-_ASKED:]):.1f} ({statistics.median(cpus[-_ASKED:]):.1f})")
    return walls, cpus, parts


def _time(asked: FlaskClient, address: str) -> tuple[float, float]:
    """Return the milliseconds that an answer takes, by the clock and of this thread's processor time."""
    wall, cpu = time.perf_counter(), time.thread_time()
    assert asked.get(address).status_code == 200
    return (time.perf_counter() - wall) * 1000, (time.thread_time() - cpu) * 1000


def _middle(folder: Path) -> int:
    """Return the id of a photo in the middle of the ledger."""
    with contextlib.closing(open_for_reading(folder / "state")) as db:
        return int(db.execute("SELECT max(id) / 2 FROM photo").fetchone()[0])


def fill(state: Path, size: int) -> None:
    """Make a ledger with so many answered photos, evenly over the last days."""
    state.mkdir()
    now = Clock().wall_ms()
    clock = SetClock([now - _DAYS * _DAY_MS, 0])
    ledger = Ledger(state, lambda _: None, clock)
    model = ledger.register_model("m", "00", LABELS)
    group = min(_GROUP, size // _DAYS)
    for start in range(0, size, group):
        clock.set_wall(now - round(_DAYS * _DAY_MS * (1 - start / size)))
        ledger.observe([FoundFile(_path(at), Version(at, 1000, at)) for at in range(start, start + group)])
        ledger.record([_classified(job, model) for job in ledger.claim(group, ())])
    ledger.close()


def _path(at: int) -> bytes:
    """Return the path of a photo; cameras differ in how often they take one, by a factor of a hundred."""
    camera = CAMERAS[0] if at % 1000 == 0 else CAMERAS[(at * 2654435761 % 97) % len(CAMERAS)]
    return b"%s/2026/11/%09d.jpg" % (camera.encode(), at)


def _classified(job: Job, model: int) -> Classified:
    label = LABELS[job.id * 7919 % len(LABELS)]
    score = 0.99 if job.id % 7 else 0.4 + job.id % 100 / 250
    scores = {label: score, "cat" if label != "cat" else "dog": 1 - score}
    return Classified(job, job.version, f"{job.id:064x}", 640, 480, scores, model, Timings(1.0, 1.0, 2.0))


if __name__ == "__main__":
    main()
