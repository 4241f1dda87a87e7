"""Measuring: the decoding and inference of one photo, and a daemon without HTTP on a folder."""

import dataclasses
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.benchmark.photos import Sample
from dogid.daemon.daemon import Daemon
from dogid.errors import DogidError
from dogid.ledger import queries
from dogid.model.classifier import Classifier
from dogid.model.classify_photo import classify_photo
from dogid.settings import Settings

_MIN_SECONDS = 0.5  # for each sample; raising it makes the medians steadier and the command slower
_POLL_SECONDS = 0.0005  # the error of a latency; lowering it takes CPU time from the daemon
_TIMEOUT_SECONDS = 120.0  # for one result, or for the backlog
_SINGLES = 20  # photos put in one at a time, for the latency
_BACKLOG = 96  # photos put in at once, for the throughput


@dataclass(frozen=True, slots=True)
class PhotoCost:
    """Medians for one photo on one core, in milliseconds."""

    decode: float
    invoke: float


@dataclass(frozen=True, slots=True)
class FolderCost:
    """From the inbox to the result, with durable commits."""

    photos: int
    per_second: float
    """Throughput of a backlog, with all workers."""
    p50_ms: float
    """Latency from the rename into the inbox until the result is readable, one photo at a time."""
    p99_ms: float


def photo_cost(sample: Sample, classifier: Classifier) -> PhotoCost:
    """Return the median decode and inference times of the sample's photos, measured for at least half a second."""
    decoding: list[float] = []
    invoking: list[float] = []
    classify_photo(sample.photos[0], classifier)
    deadline = time.perf_counter() + _MIN_SECONDS
    while not decoding or time.perf_counter() < deadline:
        for data in sample.photos:
            photo = classify_photo(data, classifier)
            decoding.append(photo.decode_ms)
            invoking.append(photo.invoke_ms)
    return PhotoCost(statistics.median(decoding), statistics.median(invoking))


def folder_cost(sample: Sample, settings: Settings, folder: Path) -> FolderCost:
    """Run a daemon without HTTP on an inbox inside folder, on single photos and then on a backlog; return the figures.

    Raise DogidError where the daemon cannot start, or the photos have no results in time.
    """
    chosen = dataclasses.replace(settings, inbox=folder / "inbox", state=folder / "state")
    ready = folder / "ready"
    ready.mkdir()
    photos = [_write_photo(ready / f"{at:05}.jpg", data, at) for at, data in enumerate(_repeated(sample.photos))]
    daemon = Daemon(chosen)
    with daemon.running():
        db = daemon.reader()
        singles = [_time_single(db, path, chosen.inbox) for path in photos[:_SINGLES]]
        backlog = photos[_SINGLES:]
        begun = time.perf_counter()
        for path in backlog:
            path.rename(chosen.inbox / path.name)
        _wait(lambda: queries.count_by_status(db)["classified"] >= len(photos))
        seconds = time.perf_counter() - begun
    singles.sort()
    p99 = singles[max(0, -(-len(singles) * 99 // 100) - 1)]
    return FolderCost(len(photos), len(backlog) / seconds, statistics.median(singles) * 1000, p99 * 1000)


def _repeated(photos: Sequence[bytes]) -> Iterator[bytes]:
    for at in range(_SINGLES + _BACKLOG):
        yield photos[at % len(photos)]


def _write_photo(path: Path, data: bytes, number: int) -> Path:
    path.write_bytes(data)
    os.utime(path, ns=(number, number))  # distinct versions: none may be taken for a renamed other
    return path


def _time_single(db: sqlite3.Connection, path: Path, inbox: Path) -> float:
    """Return the seconds from the rename until a reader sees the result."""
    name = os.fsencode(path.name)
    begun = time.perf_counter()
    path.rename(inbox / path.name)
    _wait(lambda: queries.is_classified(db, name))
    return time.perf_counter() - begun


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise DogidError(f"the photos had no results after {_TIMEOUT_SECONDS:g} s; `dogid check` may show why")
        time.sleep(_POLL_SECONDS)
