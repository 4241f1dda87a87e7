"""All figures in one run: `make bench`, or `python -m tests.benchmarks.suite [--json FILE] [--charts FOLDER]`.

Contenders are run in interleaved rounds and compared by the median of the rounds' ratios, so that what else the machine
does falls on all alike. Photos lie in memory (/dev/shm) where there is room, the ledger always on a disk.
"""

import argparse
import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dogid.model.classifier import load_model
from tests.benchmarks import charts, daemon_lap
from tests.benchmarks.accuracy import Accuracy, accuracy
from tests.benchmarks.contender import Contender, running
from tests.benchmarks.footprint import Grown, Idle, grown, idle, memory_in_backlog
from tests.benchmarks.goals import Row, as_json, as_table
from tests.benchmarks.load_latency import AtLoad, latency_by_load
from tests.benchmarks.material import KINDS, Material, make, source
from tests.benchmarks.responsiveness import Latencies, latencies, ready_seconds, version_seconds
from tests.benchmarks.throughput import LIMIT, Race, contenders, race
from tests.support.collection import PHOTOS
from tests.support.daemon import ROOT

MODEL = ROOT / "models" / "dogid.tflite"
GRAPH = ROOT / "models" / "retrained_graph.pb"
_COMPARED = 12  # photos
_ROOM = 3 << 30  # bytes, for all photos
_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    share: int
    """The photos are divided by it."""
    idle_photos: int
    idle_seconds: float
    backlogs: tuple[int, ...]
    backlog_seconds: float
    ledger_sizes: tuple[int, ...]
    arrivals: int
    waiting: int
    load_seconds: float
    starts: int
    accuracy_every: int


FULL = Extent(5, 1, 10_000, 60.0, (1_000, 10_000, 100_000), 5.0, (1_000, 100_000, 1_000_000), 200, 8_000, 4.0, 7, 2)
QUICK = Extent(3, 8, 500, 5.0, (1_000, 5_000), 3.0, (1_000, 20_000), 30, 1_500, 0.5, 3, 20)
"""To see whether all of it works; its figures are rough."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured."""

    races: Sequence[Race]
    by_cores: Sequence[tuple[int, Race]]
    idle_latencies: Latencies
    busy_latencies: Latencies
    ready_seconds: float
    version_seconds: float
    idle: Idle
    by_load: Sequence[AtLoad]
    backlog_mb: Sequence[tuple[int, float]]
    """Peaks by the photos that waited."""
    grown: Grown
    accuracy: Accuracy | None


def report(line: str) -> None:
    """Progress, to stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def measure(folder: Path, extent: Extent) -> Figures:
    """Run everything; photos go into folder."""
    kinds = [replace(kind, count=max(8, kind.count // extent.share)) for kind in KINDS]
    report(f"making photos in {folder}: {source()}")
    materials = make(folder, kinds)
    cores = len(os.sched_getaffinity(0))
    onnx = _onnx(folder)
    with running(contenders(MODEL, GRAPH, onnx, cores)) as peers:
        _check_answers(peers[LIMIT].answers(materials[0].paths[:3]), materials[0].paths[:3])
        _check_peers(peers, materials[0].paths[:_COMPARED])
        runs = {"daemon": daemon_lap.lap, **{name: peer.lap for name, peer in peers.items()}}
        races = [race(material, runs, rounds=extent.rounds, report=report) for material in materials]
    by_cores = [(workers, _with_workers(materials[0], workers)) for workers in range(1, cores + 1)]
    small = materials[0].paths
    report("latency")
    quiet = latencies(small[: extent.arrivals])
    busy = latencies(small[: extent.arrivals], backlog=extent.waiting)
    by_load = latency_by_load(small, races[0].per_second("daemon"), extent.load_seconds)
    report("starts")
    ready, version = ready_seconds(extent.starts), version_seconds(extent.starts)
    report("idle")
    at_rest = idle(folder, extent.idle_photos, extent.idle_seconds)
    report("backlog memory")
    backlog_mb = [(count, memory_in_backlog(folder, count, extent.backlog_seconds)) for count in extent.backlogs]
    report("ledger")
    ledger = grown(extent.ledger_sizes, report)
    report("accuracy")
    right = accuracy(load_model(MODEL), PHOTOS, extent.accuracy_every) if PHOTOS.is_dir() else None
    return Figures(races, by_cores, quiet, busy, ready, version, at_rest, by_load, backlog_mb, ledger, right)


def _with_workers(material: Material, workers: int) -> Race:
    part = replace(material, paths=material.paths[: len(material.paths) // 2])
    run = functools.partial(_pinned_lap, workers)
    return race(part, {"daemon": run}, rounds=2, report=report)


def _pinned_lap(workers: int, paths: Sequence[Path]) -> Any:
    """A lap of a daemon on so many cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:workers])  # the daemon inherits it
    try:
        return daemon_lap.lap(paths)
    finally:
        os.sched_setaffinity(0, allowed)


def _onnx(folder: Path) -> Path | None:
    """The model converted for ONNX Runtime; None, with the reason reported, where that fails."""
    path = folder / "model.onnx"
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", str(MODEL), "--output", str(path), "--opset", "16"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not path.exists():
        report(f"no ONNX peer: tf2onnx: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return path


def _check_answers(limits: Sequence[Sequence[float]], paths: Sequence[Path]) -> None:
    """The limit must give the daemon's own answers, to the last bit."""
    from dogid.photo.decode import decode

    classifier = load_model(MODEL).classifier()
    for path, scores in zip(paths, limits, strict=True):
        ours = classifier.classify(decode(path.read_bytes(), classifier.size).pixels)
        if max(abs(ours - scores)) > 1e-6:
            raise AssertionError(f"{path}: the bare limit answers otherwise than the daemon")


def _check_peers(peers: Mapping[str, Contender], paths: Sequence[Path]) -> None:
    """What answers otherwise is not the same work: each peer must name the same label for nearly all photos."""
    right = np.argmax(peers[LIMIT].answers(paths), axis=1)
    for name, peer in peers.items():
        same = int((np.argmax(peer.answers(paths), axis=1) == right).sum())
        if same < _COMPARED - 2:
            raise AssertionError(
                f"{name} names another label than the limit for {_COMPARED - same} of {_COMPARED} photos"
            )


def rows(figures: Figures) -> list[Row]:
    """Compare with the goals."""
    found: list[Row] = []
    for run in figures.races:
        size = f"{run.material.kind.name} MP"
        key = run.material.kind.name.replace(".", "_") + "mp"
        is_large, is_small = run.material.kind.megapixels > 10, run.material.kind.megapixels < 1
        found += [
            Row(f"limit_per_second_{key}", f"{size}: the bare limit", run.per_second(LIMIT), "photos/s", "info"),
            Row(f"daemon_per_second_{key}", f"{size}: the daemon", run.per_second("daemon"), "photos/s", "info"),
            Row(
                f"over_limit_{key}", f"{size}: throughput over the limit", run.speed_over(LIMIT), "x", "at least", 0.92
            ),
            Row(
                f"cpu_over_limit_{key}",
                f"{size}: processor time over the limit",
                run.cpu_over(LIMIT),
                "x",
                "at most",
                1.08,
            ),
            _peer(run, "article", "the article's way", 15 if is_large else 40 if is_small else None),
            _peer(run, "script", "a plain LiteRT script of one thread", 8 if is_large else None),
            _peer(run, "mediapipe", "MediaPipe with as many threads", 3.4 if is_large else None),
            _peer(run, "onnx", "ONNX Runtime with OpenCV", None),
            _peer(run, "limit-whole", "a limit that runs the model as its file has it", None),
            _peer(run, "limit-opencv", "a limit with other pixels (OpenCV's filter)", None),
        ]
    quiet, busy, at_rest, ledger = figures.idle_latencies, figures.busy_latencies, figures.idle, figures.grown
    found += [
        Row("latency_p50", "arrival to /results beyond decode and invoke, p50", quiet.over(50), "ms", "at most", 4),
        Row("latency_p99", "the same, p99", quiet.over(99), "ms", "at most", 25),
        Row("latency_disk_p50", "of that, until it is on disk, p50", percentile_on_disk(quiet), "ms", "info"),
        Row("latency_busy", "p99 in a backlog over p99 idle", busy.of(99) / quiet.of(99), "x", "at most", 2),
        Row("latency_busy_p99", "p99 in a backlog", busy.of(99), "ms", "info"),
        Row("ready", "process start to READY", figures.ready_seconds, "s", "at most", 0.45),
        Row("version", "`dogid --version`", figures.version_seconds * 1000, "ms", "at most", 60),
        Row("memory_unasked", "memory idle, before the first request", at_rest.memory_unasked_mb, "MB", "at most", 75),
        Row("memory_idle", "memory idle, after it", at_rest.memory_mb, "MB", "at most", 75),
        Row("memory_after", f"memory after {at_rest.photos:,} photos", at_rest.memory_after_mb, "MB", "info"),
        Row(
            "memory_backlog",
            f"memory in a backlog of {figures.backlog_mb[-1][0]:,}, peak",
            figures.backlog_mb[-1][1],
            "MB",
            "at most",
            110,
        ),
        Row(
            "memory_grown", f"memory with {ledger.milliseconds[-1][0]:,} results", ledger.memory_mb, "MB", "at most", 90
        ),
        Row(
            "idle_cpu",
            f"idle, {at_rest.photos:,} photos in the inbox",
            at_rest.cpu_percent,
            "% of a core",
            "at most",
            0.3,
        ),
        Row("ledger_cost", "ledger, a photo at the first size", ledger.milliseconds[0][1], "ms", "info"),
        Row("ledger_spread", "ledger, the dearest size over the first", ledger.spread, "x", "at most", 1.05),
    ]
    if figures.accuracy is not None:
        right = figures.accuracy
        found += [
            Row("top1", f"top-1 on {right.photos} photos", right.top1_small, "%", "info"),
            Row("top1_change", "top-1 against decoding whole", right.top1_change, "points", "at least", -0.2),
            Row("probability_change", "mean probability against decoding whole", right.probability_change, "points",
                "at least", -0.2),
        ]  # fmt: skip
    return found


def percentile_on_disk(measured: Latencies) -> float:
    """The median of what comes on top of decoding and invoking until the row is on disk."""
    return replace(measured, total=measured.on_disk).over(50)


def _peer(run: Race, name: str, what: str, goal: float | None) -> Row:
    size = run.material.kind.name
    sense: Any = "info" if goal is None else "at least"
    key = f"over_{name.replace('-', '_')}_{size.replace('.', '_')}mp"
    return Row(key, f"{size} MP: over {what}", run.speed_over(name), "x", sense, goal)


def document(figures: Figures, table: Sequence[Row], seconds: float) -> dict[str, Any]:
    """For --json: the table, the rounds, and where it was measured."""
    races = {race.material.kind.name: race for race in figures.races}
    return {
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": processor(),
            "python": platform.python_version(),
            "load_at_end": os.getloadavg()[0],
        },
        "photos": {
            "source": source(),
            "mean_bytes": {kind: round(race.material.mean_bytes) for kind, race in races.items()},
        },
        "seconds": round(seconds, 1),
        "table": as_json(table),
        "rounds": {
            kind: {name: [round(lap.per_second, 2) for lap in laps] for name, laps in race.laps.items()}
            for kind, race in races.items()
        },
        "by_cores": [{"cores": cores, "per_second": race.per_second("daemon")} for cores, race in figures.by_cores],
        "latency_by_load": [asdict(one) for one in figures.by_load],
        "backlog_mb": dict(figures.backlog_mb),
        "ledger_ms": dict(figures.grown.milliseconds),
    }


def processor() -> str:
    """Its name, from proc(5)."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--charts", type=Path, metavar="FOLDER", help="draw the charts there")
    parser.add_argument("--quick", action="store_true", help="a small part of it, to see whether all works")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="make the photos there and keep them for the next run"
    )
    args = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dogid-bench-", dir=_fast()) as made:
        folder = args.keep or Path(made)
        figures = measure(folder, QUICK if args.quick else FULL)
        table = rows(figures)
        seconds = time.monotonic() - begun
        found = document(figures, table, seconds)
    print(as_table(table))  # noqa: T201
    print(f"\n{seconds:.0f} s, {found['machine']}, photos: {found['photos']}, in {folder.parent}")  # noqa: T201
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.charts:
        charts.draw(args.charts, figures)
    return 0


def _fast() -> Path | None:
    """Memory, where it has room for the photos: the disk shall not be what is measured."""
    has_room = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _ROOM
    return _SHARED_MEMORY if has_room else None


if __name__ == "__main__":
    sys.exit(main())
