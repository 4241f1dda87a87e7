"""What outputs that write files cost the photos: processor time per photo of a backlog, and how soon single ones come.

`python -m tests.benchmarks.file_outputs_load` runs short laps in turn, without outputs and with them, and prints
medians. A backlog is renamed into the inbox at once; single photos come at random moments, as in `load_latency`.
Processor time is the daemon's, until the last photo of the backlog is answered: other programs on the machine disturb
it little. What the outputs then have left is the rest, which takes no photo's time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.daemon_lap import daemon, disk, renamed_into, wait_for
from tests.benchmarks.process import cpu_seconds
from tests.benchmarks.responsiveness import percentile
from tests.benchmarks.single_photos import time_singles
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

OUTPUTS = {
    "jsonl": 'path = "{folder}/results.jsonl"',
    "csv": 'path = "{folder}/results.csv"',
    "sidecar": 'folder = "{folder}/sidecars"',
    "sort": 'folder = "{folder}/sorted"',
}
_REST_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Lap:
    """One lap's figures."""

    cpu_ms: float
    """Of the daemon per photo of the backlog, until the last was answered."""
    rest_ms: float
    """What it took further per photo, until the outputs had all."""
    photos_per_second: float
    took: Sequence[float]
    """Milliseconds from the rename to the answer, of each single photo."""


def measure(paths: Sequence[Path], singles: int, kinds: Sequence[str]) -> Lap:
    """Let photos come, a few one by one, then the others at once."""
    with tempfile.TemporaryDirectory(prefix="dogid-outputs-", dir=disk()) as written:
        config = _write_settings(Path(written), kinds)
        with (
            daemon(paths[0].parent, "--config", str(config)) as process,
            renamed_into(process.inbox, paths) as renaming,
        ):
            time.sleep(_REST_SECONDS)
            took = time_singles(process, paths[:singles], renaming, singles)
            _wait_for_outputs(process, singles)
            backlog = paths[singles:]
            cpu, begun = cpu_seconds(process.pid), time.perf_counter()
            for path in backlog:
                renaming.one(path)
            wait_for(process, len(paths), begun)
            seconds, answered = time.perf_counter() - begun, cpu_seconds(process.pid)
            _wait_for_outputs(process, len(paths))
            rest = cpu_seconds(process.pid) - answered
    count = len(backlog)
    return Lap(1000 * (answered - cpu) / count, 1000 * rest / count, count / seconds, took)


def _write_settings(folder: Path, kinds: Sequence[str]) -> Path:
    for name in ("sidecars", "sorted"):
        (folder / name).mkdir()
    config = folder / "dogid.toml"
    tables = [f'[outputs.{kind}]\ntype = "{kind}"\n{OUTPUTS[kind].format(folder=folder)}\n' for kind in kinds]
    config.write_text("\n".join(tables))
    return config


def _wait_for_outputs(process: DaemonProcess, count: int) -> None:
    while any(state["sent"] < count for state in process.status().get("outputs", ())):
        time.sleep(0.1)


def main() -> None:
    """Print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--photos", type=int, default=600, help="of 0.3 MP, in a backlog")
    parser.add_argument("--singles", type=int, default=60, help="photos that come one by one")
    parser.add_argument("--outputs", nargs="*", choices=OUTPUTS, default=list(OUTPUTS))
    args = parser.parse_args()
    laps: dict[bool, list[Lap]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="dogid-outputs-", dir="/dev/shm") as folder:
        place = Path(folder)
        paths = [put(place / f"{at:05d}.jpg", photo(at, size=(640, 480))) for at in range(args.photos + args.singles)]
        for number in range(args.rounds):
            for with_outputs in (False, True) if number % 2 else (True, False):
                laps[with_outputs].append(measure(paths, args.singles, args.outputs if with_outputs else ()))
    for with_outputs, name in ((False, "without outputs"), (True, "with " + ", ".join(args.outputs))):
        cpu, rest, rate = (
            statistics.median(getattr(lap, key) for lap in laps[with_outputs])
            for key in ("cpu_ms", "rest_ms", "photos_per_second")
        )
        took = [each for lap in laps[with_outputs] for each in lap.took]
        by_lap = statistics.median(percentile(lap.took, 99) for lap in laps[with_outputs])
        print(  # noqa: T201
            f"{name}: {cpu:.2f} ms of the processor a photo, {rest:.2f} ms after the backlog; {rate:.0f} photos/s;"
            f" single photos {percentile(took, 50):.1f} ms (p50), {percentile(took, 99):.1f} ms (p99),"
            f" {by_lap:.1f} ms (median p99 of a lap)"
        )
    for key in ("cpu_ms", "photos_per_second"):
        ratios = [getattr(on, key) / getattr(off, key) for off, on in zip(laps[False], laps[True], strict=True)]
        print(f"with / without, {key}: {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
