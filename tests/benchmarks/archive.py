"""An archive by each engine: photos per second beside the bare limit, what a start costs, rows per second.

`python -m tests.benchmarks.archive [--rounds N] [--photos SMALL LARGE] [--ways NAME...]` prints tables for RESULTS.md.
Each way runs on a few photos and on all of them; the difference is its speed, the rest its start. Rounds have every way
once, so that what else the machine does falls on all alike.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dogid.archive.entries import make_entry
from dogid.archive.manifest import write_manifest
from dogid.archive.parquet_files import encode_table
from dogid.archive.schema import ModelFacts, failed_row, schema, table_of
from dogid.archive.storage import LocalStorage
from dogid.clock import Clock
from dogid.errors import PhotoCode, PhotoError
from tests.benchmarks import material
from tests.benchmarks.archive_ways import WAYS
from tests.support.daemon import ROOT, environment

_FEW = 8
_ROWS = 200_000
_OURS = {"local": ("--engine", "local"), "ray": ("--engine", "ray")}


class Lap(NamedTuple):
    """One way, once."""

    per_second: float
    start_seconds: float


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=int, nargs=2, default=(1600, 260), metavar=("SMALL", "LARGE"))
    parser.add_argument("--ways", nargs="+", default=[*_OURS, *WAYS])
    parser.add_argument("--material", type=Path, default=Path(tempfile.gettempdir(), "dogid-bench"))
    args = parser.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    ways = [name for name in args.ways if name in _OURS or _has(name)]
    counts = {"0.3": args.photos[0], "12": args.photos[1]}
    kinds = [replace(kind, count=counts[kind.name]) for kind in material.KINDS if kind.name in counts]
    for made in material.make(args.material, kinds):
        _write(f"\n### {made.kind.name} MP, {made.kind.count} photos, {cores} cores; load {os.getloadavg()[0]:.1f}\n")
        measured = _measure(ways, made.paths, args.rounds, cores)
        _print_table(measured)
    _print_rows()


def _has(name: str) -> bool:
    package = {"dask": "dask", "spark": "pyspark"}.get(name, "ray")
    return importlib.util.find_spec(package) is not None and (name != "spark" or shutil.which("java") is not None)


def _measure(ways: list[str], paths: Sequence[Path], rounds: int, cores: int) -> dict[str, list[Lap]]:
    found: dict[str, list[Lap]] = {}
    with tempfile.TemporaryDirectory() as place:
        few, everything = Path(place, "few"), Path(place, "all")
        _link(paths[:_FEW], few)
        _link(paths, everything)
        for _ in range(rounds):
            for name, workers in [*((way, cores) for way in ways), ("ray", 1), ("limit", 1)]:
                short, long = _time(name, few, workers), _time(name, everything, workers)
                lap = Lap((len(paths) - _FEW) / max(1e-9, long - short), short)
                found.setdefault(name if workers == cores else f"{name}, 1 core", []).append(lap)
    return found


def _link(paths: Sequence[Path], folder: Path) -> None:
    folder.mkdir()
    for path in paths:
        os.link(path, folder / path.name) if path.stat().st_dev == folder.stat().st_dev else _copy(path, folder)


def _copy(path: Path, folder: Path) -> None:
    (folder / path.name).write_bytes(path.read_bytes())


def _time(name: str, folder: Path, workers: int) -> float:
    with tempfile.TemporaryDirectory() as out:
        if name in _OURS:
            flags = (*_OURS[name], "--workers", str(workers), "--state", f"{out}/state")
            command = ["dogid", "batch", str(folder), "-o", f"{out}/out", *flags]
        else:
            command = ["tests.benchmarks.archive_ways", name, str(folder), out, str(workers)]
        environ = environment()
        environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), environ["PYTHONPATH"], os.environ.get("PYTHONPATH", "")])
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", *command], env=environ, check=True, capture_output=True)
        return time.perf_counter() - started


def _print_table(measured: dict[str, list[Lap]]) -> None:
    _write("| engine | photos/s | beside the limit, pairs of one round | start |")
    _write("| --- | ---: | ---: | ---: |")
    for name, laps in measured.items():
        base = measured.get("limit, 1 core" if name.endswith("1 core") else "limit", laps)
        ratios = sorted(lap.per_second / other.per_second for lap, other in zip(laps, base, strict=True))
        _write(
            f"| {name} | {statistics.median(lap.per_second for lap in laps):.1f}"
            f" | {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            f" | {statistics.median(lap.start_seconds for lap in laps):.1f} s |"
        )
    pairs = zip(measured.get("ray", ()), measured.get("ray, 1 core", ()), strict=False)
    gains = [both.per_second / one.per_second for both, one in pairs]
    if gains:
        _write(f"\nRay, from one actor to all cores: {statistics.median(gains):.2f} times as many photos per second.")


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _print_rows() -> None:
    """Print rows per second of listing and of writing results, without photos."""
    with tempfile.TemporaryDirectory() as place:
        storage = LocalStorage(Path(place))
        entries = (make_entry(f"camera/{number:09}.jpg", 1000, number) for number in range(_ROWS))
        started = time.perf_counter()
        write_manifest(storage, "bench", entries)
        listed = _ROWS / (time.perf_counter() - started)
        columns = schema(ModelFacts("m.tflite", "00", ("cat", "dog"), None), embeddings=False)
        error = PhotoError(PhotoCode.EMPTY, "the file is empty")
        rows = [failed_row(make_entry(f"{number:09}.jpg", 1, number), error, Clock()) for number in range(_ROWS // 10)]
        started = time.perf_counter()
        storage.write("part.parquet", encode_table(table_of(rows, columns)))
        written = len(rows) / (time.perf_counter() - started)
    _write(f"\nManifest: {listed:,.0f} rows/s; results into a part file: {written:,.0f} rows/s; one core each.")


if __name__ == "__main__":
    main(sys.argv[1:])
