"""How soon: from a photo's arrival to its row in /results, idle and under a backlog; and from exec to READY."""

import http.client
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dogid.ledger.database import open_for_reading
from tests.benchmarks.daemon_lap import daemon
from tests.support.daemon import DaemonProcess, environment
from tests.support.photos import photo
from tests.support.waiting import eventually

_POLL = 0.0005  # seconds between looks, each of which is to cost the daemon's cores nothing
_TIMEOUT = 30.0
_LONGEST_PAUSE = 0.03


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of single photos, in milliseconds."""

    total: Sequence[float]
    """From before the rename until the answer of GET /results with the photo's row has been read."""
    on_disk: Sequence[float]
    """Until the row was committed, and so to be seen by any reader."""
    alone: Sequence[float]
    """Decoding and invoking, as the result contains them."""
    invoke: Sequence[float]
    """Of that, invoking."""

    def over(self, percent: int) -> float:
        """A percentile of what comes on top of decoding and invoking."""
        return percentile([total - alone for total, alone in zip(self.total, self.alone, strict=True)], percent)

    def of(self, percent: int) -> float:
        """A percentile of the total."""
        return percentile(self.total, percent)


def percentile(values: Sequence[float], percent: int) -> float:
    """The least value that so many percent of values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def latencies(paths: Sequence[Path], *, backlog: int = 0, small_side: int = 320) -> Latencies:
    """Rename photos into an inbox, each when the last has its result; with a backlog, so many small ones wait."""
    with daemon(paths[0].parent) as process:
        _fill(process.inbox, backlog, small_side)
        if backlog:
            eventually(lambda: sum(process.status()["counts"].values()) >= backlog, "all are known", _TIMEOUT)
        process.get("/results")  # what the first question costs, Flask's import, is measured elsewhere: page_cost.py
        found = _one_by_one(process, paths)
        if backlog:
            assert process.status()["counts"]["pending"], "the backlog was over before the last arrival: make it larger"
        return found


def _one_by_one(process: DaemonProcess, paths: Sequence[Path]) -> Latencies:
    chance = random.Random(1)
    arrivals = [(path, process.inbox / f"arrival-{path.name}") for path in paths]
    db = open_for_reading(process.state)
    connection = http.client.HTTPConnection(urlsplit(process.url).netloc, timeout=_TIMEOUT)
    found: list[tuple[float, float, float, float]] = []
    try:
        for path, there in arrivals:
            time.sleep(chance.uniform(0, _LONGEST_PAUSE))
            found.append(_one(path, there, db, connection))
    finally:
        for path, there in arrivals:
            if there.exists():
                there.rename(path)
        connection.close()
        db.close()
    total, on_disk, alone, invoke = zip(*found, strict=True)
    return Latencies(total, on_disk, alone, invoke)


def _one(
    path: Path, there: Path, db: sqlite3.Connection, connection: http.client.HTTPConnection
) -> tuple[float, float, float, float]:
    """Milliseconds in total, until it is on disk, of decoding and invoking, and of invoking."""
    query = "SELECT id FROM photo WHERE path = ? AND state = 'classified'"
    name = os.fsencode(there.name)
    begun = time.perf_counter()
    path.rename(there)
    known = None
    while True:
        # whether somebody has committed is read from shared memory: https://sqlite.org/pragma.html#pragma_data_version
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != known and db.execute(query, (name,)).fetchone() is not None:
            break
        if time.perf_counter() - begun > _TIMEOUT:
            raise AssertionError(f"{there.name} has no result after {_TIMEOUT:g} s")
        known = version
        time.sleep(_POLL)
    on_disk = time.perf_counter()
    connection.request("GET", "/results?limit=1")
    (row,) = json.loads(connection.getresponse().read())["results"]
    ended = time.perf_counter()
    assert row["file"] == there.name
    timings = row["timings_ms"]
    alone = timings["decode"] + timings["invoke"]
    return (ended - begun) * 1000, (on_disk - begun) * 1000, alone, timings["invoke"]


def _fill(inbox: Path, count: int, side: int) -> None:
    data = photo(1, size=(side, side))
    folder = inbox / "backlog"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(data)


def ready_seconds(times: int) -> float:
    """The median from exec to READY=1, with the disk cache warm."""
    return statistics.median(_ready_once() for _ in range(times))


def _ready_once() -> float:
    with tempfile.TemporaryDirectory(prefix="dogid-start-") as folder:
        here = Path(folder)
        (here / "inbox").mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(here / "notify"))
            listener.settimeout(_TIMEOUT)
            process = DaemonProcess(here / "inbox", here / "state", environ={"NOTIFY_SOCKET": str(here / "notify")})
            begun = time.perf_counter()
            process.launch()
            try:
                while b"READY=1" not in listener.recv(4096):
                    pass
                return time.perf_counter() - begun
            finally:
                process.close()


def version_seconds(times: int) -> float:
    """The median of `dogid --version`, as a process."""
    command = [sys.executable, "-m", "dogid", "--version"]
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment())
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)
