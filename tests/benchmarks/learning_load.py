"""What learning costs the photos that come meanwhile: photos per second, and how soon single ones are answered.

`python -m tests.benchmarks.learning_load` runs laps in turn, without learning and with one run after the other beside
the daemon, and prints medians. A backlog is renamed into the inbox at once; single photos come at random moments, as in
`load_latency`.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.daemon_lap import daemon, disk, renamed_into, wait_for
from tests.benchmarks.responsiveness import percentile
from tests.benchmarks.single_photos import time_singles
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.web.browser.drawings import drawing

_LEARNED = 20
_REST_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one lap."""

    photos_per_second: float
    p50: float
    """Milliseconds from the rename to the answer."""
    p99: float
    runs: int
    """Learning runs that ended meanwhile."""


def prepare(folder: Path) -> Path:
    """Return a state folder in which photos of a new label were reviewed; their files are gone."""
    state = folder / "prepared"
    with daemon(folder, state=state) as process:
        for number in range(_LEARNED):
            put(process.inbox / f"learned-{number}.jpg", drawing("garden", number))
        process.wait_for_all_answers(_LEARNED)
        body = json.dumps({"ids": [one["id"] for one in process.results()], "label": "garden"}).encode()
        headers = {"Content-Type": "application/json"}
        assert fetch(process.url, "/labels", method="POST", body=body, headers=headers).status == 200
        process.stop()
    return state


@contextlib.contextmanager
def learning(process: DaemonProcess) -> Iterator[list[int]]:
    """Have one learning run follow the other; yields a list with an entry for each that has ended."""
    ended, done = list[int](), threading.Event()

    def learn() -> None:
        assert fetch(process.url, "/learn", method="POST").status == 202
        while not done.wait(0.1):
            if not process.get("/learn")["running"]:
                ended.append(1)
                assert fetch(process.url, "/learn", method="POST").status == 202

    thread = threading.Thread(target=learn)
    thread.start()
    time.sleep(1)  # it has loaded what it needs
    try:
        yield ended
    finally:
        done.set()
        thread.join()


def measure(prepared: Path, paths: Sequence[Path], singles: int, *, learns: bool) -> Figures:
    """Let photos come, most of them at once, and the last one by one."""
    with tempfile.TemporaryDirectory(prefix="dogid-state-", dir=disk()) as folder:
        state = Path(shutil.copytree(prepared, Path(folder) / "state"))
        with (
            daemon(paths[0].parent, state=state) as process,
            renamed_into(process.inbox, paths) as renaming,
            learning(process) if learns else contextlib.nullcontext(list[int]()) as ended,
        ):
            time.sleep(_REST_SECONDS)
            begun = time.perf_counter()
            for path in paths[singles:]:
                renaming.one(path)
            wait_for(process, _LEARNED + len(paths) - singles, begun)
            rate = (len(paths) - singles) / (time.perf_counter() - begun)
            took = time_singles(process, paths[:singles], renaming, _LEARNED + len(paths))
            return Figures(rate, percentile(took, 50), percentile(took, 99), len(ended))


def main() -> None:
    """Print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=2000, help="of 0.3 MP, in a backlog")
    parser.add_argument("--singles", type=int, default=200, help="photos that come one by one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dogid-learning-", dir="/dev/shm") as folder:
        place = Path(folder)
        paths = [put(place / f"{at:05d}.jpg", photo(at, size=(640, 480))) for at in range(args.photos + args.singles)]
        prepared = prepare(place)
        without, beside = list[Figures](), list[Figures]()
        for _ in range(args.rounds):
            without.append(measure(prepared, paths, args.singles, learns=False))
            beside.append(measure(prepared, paths, args.singles, learns=True))
    ratio = statistics.median(
        one.photos_per_second / other.photos_per_second for one, other in zip(beside, without, strict=True)
    )
    for name, laps in (("without", without), ("beside a learning run", beside)):
        rate, p50, p99 = (
            statistics.median(getattr(lap, key) for lap in laps) for key in ("photos_per_second", "p50", "p99")
        )
        runs = sum(lap.runs for lap in laps)
        print(f"{name}: {rate:.0f} photos/s; single photos {p50:.1f} ms (p50), {p99:.1f} ms (p99); {runs} runs")  # noqa: T201
    print(f"ratio of photos/s: {ratio:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
