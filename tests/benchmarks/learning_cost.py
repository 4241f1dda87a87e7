"""What learning costs a daemon that has nothing to learn yet: photos, memory when idle, and how soon a label answers.

`python -m tests.benchmarks.learning_cost` runs laps with `--learning propose` and `off` in turn, and prints medians.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.daemon_lap import daemon, renamed_into, wait_for
from tests.benchmarks.process import cpu_seconds, resident_mb
from tests.benchmarks.responsiveness import percentile
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo, put

_REST_SECONDS = 1.5  # the start is not over when it answers
_HOW = ("off", "propose")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one lap."""

    per_second: float
    """Photos."""
    cpu_ms: float
    """Of a photo."""
    idle_mb: float
    """Before the first photo, and after the first request."""
    labels: Sequence[float]
    """Milliseconds, from the request to the answer, each."""


def measure(paths: Sequence[Path], labels: int, how: str) -> Figures:
    """Let photos come at once, and label some of them one by one."""
    with daemon(paths[0].parent, "--learning", how) as process, renamed_into(process.inbox, paths) as begin:
        process.status()
        time.sleep(_REST_SECONDS)
        idle = resident_mb(process.pid)
        cpu, begun = cpu_seconds(process.pid), time.perf_counter()
        begin()
        wait_for(process, len(paths), begun)
        seconds = time.perf_counter() - begun
        cpu = cpu_seconds(process.pid) - cpu
        return Figures(len(paths) / seconds, cpu / len(paths) * 1000, idle, _label(process, labels))


def _label(process: DaemonProcess, count: int) -> list[float]:
    took = []
    for one in process.get(f"/results?limit={count}")["results"]:
        body, headers = json.dumps({"label": "garden"}).encode(), {"Content-Type": "application/json"}
        begun = time.perf_counter()
        reply = fetch(process.url, f"/results/{one['id']}/label", method="POST", body=body, headers=headers)
        took.append((time.perf_counter() - begun) * 1000)
        assert reply.status == 200, reply.body
    return took


def main() -> None:
    """Print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--photos", type=int, default=2000, help="of 0.3 MP")
    parser.add_argument("--labels", type=int, default=100)
    args = parser.parse_args()
    laps: dict[str, list[Figures]] = {how: [] for how in _HOW}
    with tempfile.TemporaryDirectory(prefix="dogid-learning-", dir="/dev/shm") as folder:
        paths = [put(Path(folder) / f"{at:05d}.jpg", photo(at, size=(640, 480))) for at in range(args.photos)]
        for number in range(args.rounds):
            for how in _HOW[:: 1 if number % 2 else -1]:  # what the machine does meanwhile falls on both alike
                laps[how].append(measure(paths, args.labels, how))
    for how, found in laps.items():
        rate, cpu, idle = (statistics.median(getattr(lap, key) for lap in found) for key in Figures.__slots__[:3])
        took = [one for lap in found for one in lap.labels]
        print(  # noqa: T201
            f"{how}: {rate:.0f} photos/s, {cpu:.2f} ms of CPU a photo, {idle:.1f} MB idle; "
            f"a label: {percentile(took, 50):.1f} ms (p50), {percentile(took, 99):.1f} ms (p99)"
        )
    for key in Figures.__slots__[:3]:
        ratios = [getattr(on, key) / getattr(off, key) for on, off in zip(laps["propose"], laps["off"], strict=True)]
        print(f"ratio of {key}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")  # noqa: T201


if __name__ == "__main__":
    main()
