"""An archive by each engine: photos per second beside the daemon and the bare limit, starts, rows per second.

`python -m tests.benchmarks.archive [--rounds N] [--photos SMALL LARGE] [--ways NAME...]` prints tables for RESULTS.md.
Each way runs on a few photos and on all of them; the difference is its speed, the rest its start. Rounds have every way
once, so that what else the machine does falls on all alike.
"""

import argparse
import importlib.util
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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
from tests.support.daemon import ROOT, DaemonProcess, environment

_FEW = 8
_ROWS = 200_000
_OURS = {"local": ("--engine", "local"), "ray": ("--engine", "ray")}
_DAEMON, _LIMIT = "daemon", "limit"
_ALONE = ("ray", _LIMIT)  # also measured on one core
_POLL_SECONDS = 0.1  # asking the daemon more often takes its time


class Way(NamedTuple):
    """An engine, and on how many cores."""

    name: str
    cores: int


class Times(NamedTuple):
    """Seconds of one way in one round."""

    few: float
    """For a few photos: the start."""
    all: float


class FailedError(Exception):
    """A way that did not do its work; the text is what it said."""


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=int, nargs=2, default=(4000, 400), metavar=("SMALL", "LARGE"))
    parser.add_argument("--ways", nargs="+", default=[_DAEMON, *_OURS, *WAYS])
    parser.add_argument("--material", type=Path, default=Path(tempfile.gettempdir(), "dogid-bench"))
    args = parser.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    names = [name for name in args.ways if _has(name)]
    ways = [Way(name, cores) for name in names] + [Way(name, 1) for name in names if name in _ALONE]
    counts = dict(zip(("0.3", "12"), args.photos, strict=True))
    for made in material.make(args.material, [kind for kind in material.KINDS if kind.name in counts]):
        count = counts[made.kind.name]
        _write(f"\n### {made.kind.name} MP, {count} photos, {args.rounds} rounds, {cores} cores\n")
        _print_table(_measure(ways, made.paths, count, args.rounds), count, cores)
    _print_rows()


def _has(name: str) -> bool:
    package = {"dask": "dask", "spark": "pyspark", "ray": "ray"}.get(name, "dogid")
    return importlib.util.find_spec(package) is not None and (name != "spark" or shutil.which("java") is not None)


def _measure(ways: list[Way], paths: Sequence[Path], count: int, rounds: int) -> dict[Way, list[Times]]:
    found: dict[Way, list[Times]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as place:
        few, everything = Path(place, "few"), Path(place, "all")
        _link(paths, _FEW, few)
        _link(paths, count, everything)
        for _ in range(rounds):
            for way, times in list(found.items()):
                try:
                    times.append(Times(_time(way, few), _time(way, everything)))
                except FailedError as error:
                    _write(f"{way.name} failed, and is left out:\n{error}")
                    del found[way]
    return found


def _link(paths: Sequence[Path], count: int, folder: Path) -> None:
    """Give so many photos names in a folder, the same ones again where there are fewer."""
    folder.mkdir()
    for number, path in enumerate(itertools.islice(itertools.cycle(paths), count)):
        name = folder / f"{number:06}.jpg"
        try:
            os.link(path, name)
        except OSError:  # on another disk
            name.write_bytes(path.read_bytes())


def _time(way: Way, folder: Path) -> float:
    with tempfile.TemporaryDirectory() as out:
        if way.name == _DAEMON:
            return _time_daemon(folder, Path(out, "state"))
        if way.name in _OURS:
            flags = (*_OURS[way.name], "--workers", str(way.cores), "--state", f"{out}/state")
            command = ["dogid", "batch", str(folder), "-o", f"{out}/out", *flags]
        else:
            command = ["tests.benchmarks.archive_ways", way.name, str(folder), out, str(way.cores)]
        environ = environment()
        environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), environ["PYTHONPATH"]])
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *command], env=environ, check=False, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{way.name} failed:\n{done.stderr[-3000:]}")
        return time.perf_counter() - started


def _time_daemon(inbox: Path, state: Path) -> float:
    """Return the seconds from the daemon's start until it has classified all photos of its inbox."""
    count = sum(1 for _ in inbox.iterdir())
    daemon = DaemonProcess(inbox, state)
    started = time.perf_counter()
    try:
        daemon.start()
        while daemon.status()["counts"]["classified"] < count:
            time.sleep(_POLL_SECONDS)
        return time.perf_counter() - started
    finally:
        daemon.close()


def _print_table(measured: dict[Way, list[Times]], count: int, cores: int) -> None:
    rates = {way: _rates(times, count) for way, times in measured.items()}
    _write("| engine | photos/s | of the daemon's | of the limit's | start |")
    _write("| --- | ---: | ---: | ---: | ---: |")
    for way, times in measured.items():
        title = f"{way.name}, 1 core" if way.cores == 1 < cores else way.name
        ratios = [_compare(rates[way], rates.get(Way(base, way.cores))) for base in (_DAEMON, _LIMIT)]
        start = statistics.median(time.few for time in times)
        _write(f"| {title} | {statistics.median(rates[way]):.1f} | {ratios[0]} | {ratios[1]} | {start:.1f} s |")
    for name in _ALONE:
        one, every = rates.get(Way(name, 1)), rates.get(Way(name, cores))
        if one and every and cores > 1:
            _write(f"\n{name}, from one core to {cores}: {_compare(every, one)} times as many photos per second.")


def _rates(times: list[Times], count: int) -> list[float]:
    """Return the photos per second of each round, without the start."""
    start = statistics.median(time.few for time in times)
    return [(count - _FEW) / max(1e-9, time.all - start) for time in times]


def _compare(rates: list[float], base: list[float] | None) -> str:
    """Return the median, and the range, of the ratios of rounds."""
    if not base:
        return ""
    ratios = sorted(rate / other for rate, other in zip(rates, base, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


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
