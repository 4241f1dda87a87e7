"""The measurements themselves: one photo's parts, and a real daemon's rooms on a folder."""

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

_LEAST_SECONDS = 0.5  # of measuring each sample
_GLANCE_SECONDS = 0.0005
_PATIENCE_SECONDS = 120.0
_SINGLES = 20
_BACKLOG = 96


@dataclass(frozen=True, slots=True)
class PhotoCost:
    """Medians for one photo on one core, in milliseconds."""

    decode: float
    invoke: float


@dataclass(frozen=True, slots=True)
class FolderCost:
    """From the folder to the result, with commits that are on disk."""

    photos: int
    per_second: float
    """From a backlog, by all workers."""
    p50_ms: float
    """From the rename into the inbox until the result is on disk, one photo at a time."""
    p99_ms: float


def photo_cost(sample: Sample, classifier: Classifier) -> PhotoCost:
    """Decode and classify each photo, again and again for half a second at least."""
    decoding: list[float] = []
    invoking: list[float] = []
    classify_photo(sample.photos[0], classifier)
    ends = time.perf_counter() + _LEAST_SECONDS
    while not decoding or time.perf_counter() < ends:
        for data in sample.photos:
            photo = classify_photo(data, classifier)
            decoding.append(photo.decode_ms)
            invoking.append(photo.invoke_ms)
    return PhotoCost(statistics.median(decoding), statistics.median(invoking))


def folder_cost(sample: Sample, settings: Settings, folder: Path) -> FolderCost:
    """Run the daemon's rooms, without HTTP, on an inbox in folder: single photos, then a backlog."""
    chosen = dataclasses.replace(settings, inbox=folder / "inbox", state=folder / "state")
    ready = folder / "ready"
    ready.mkdir()
    photos = [_written(ready / f"{at:05}.jpg", data, at) for at, data in enumerate(_repeated(sample.photos))]
    service = Daemon(chosen)
    with service.running():
        db = service.reader()
        singles = [_single(db, path, chosen.inbox) for path in photos[:_SINGLES]]
        backlog = photos[_SINGLES:]
        begun = time.perf_counter()
        for path in backlog:
            path.rename(chosen.inbox / path.name)
        _wait(lambda: queries.counts(db)["classified"] >= len(photos))
        seconds = time.perf_counter() - begun
    singles.sort()
    worst = singles[max(0, -(-len(singles) * 99 // 100) - 1)]
    return FolderCost(len(photos), len(backlog) / seconds, statistics.median(singles) * 1000, worst * 1000)


def _repeated(photos: Sequence[bytes]) -> Iterator[bytes]:
    for at in range(_SINGLES + _BACKLOG):
        yield photos[at % len(photos)]


def _written(path: Path, data: bytes, number: int) -> Path:
    path.write_bytes(data)
    os.utime(path, ns=(number, number))  # each another version: none is taken for another's former name
    return path


def _single(db: sqlite3.Connection, path: Path, inbox: Path) -> float:
    """Seconds from the rename until a reader sees the result."""
    query = "SELECT 1 FROM photo WHERE path = ? AND state = 'classified'"
    name = os.fsencode(path.name)
    begun = time.perf_counter()
    path.rename(inbox / path.name)
    _wait(lambda: db.execute(query, (name,)).fetchone() is not None)
    return time.perf_counter() - begun


def _wait(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > ends:
            raise DogidError(f"the photos had no results after {_PATIENCE_SECONDS:g} s; `dogid check` may tell why")
        time.sleep(_GLANCE_SECONDS)
