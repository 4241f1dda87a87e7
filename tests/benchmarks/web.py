"""What the web interface costs, with few and with a million results.

`python -m tests.benchmarks.web` prints goals and figures: latencies of an idle daemon, requests per second on one core,
what serving takes from classification, and the memory of listeners. It takes some minutes and 2 GB in the temporary
folder; `--sizes 1000 100000` takes less. The daemon runs on the first core, the client on the second.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from dogid.clock import Clock
from dogid.ledger.database import open_for_reading, open_for_writing
from dogid.ledger.ledger import Ledger
from tests.benchmarks.backlog import fill
from tests.benchmarks.load import percentile
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.photos import photo, put
from tests.support.waiting import eventually

SIZES = [1_000, 100_000, 1_000_000]
_ASKED = 1500
_FEW = 20  # rows with a rare label, and failed ones: the oldest, where a search from the newest ends last
_CHANGED = 100  # versions of one photo
_LISTENERS = 100
_BACKLOG = 12_000  # more would have the scans of the folder, which cost the same whoever asks, blur the figures
_LOAD_SECONDS = 6.0
_SHARE_OF_WEB_AT_REST = 0.02
_DAEMON_CORE, _CLIENT_CORE = "0", "1"

T = TypeVar("T")

_ROW = """INSERT INTO photo (path, inode, size, mtime_ns, state, seen_at, classified_at, model_id, label, score, scores,
    sha256, width, height, decode_ms, invoke_ms, total_ms, error_code, error_message, seq, superseded_by)
    VALUES (?, ?, 250000, 1700000000000000000, ?, 1700000000000, 1700000000000, ?, ?, ?, ?, ?, 640, 480, 4.1, 3.9, 8.3,
    ?, ?, ?, NULL)"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement."""

    what: str
    goal: str
    figure: float
    unit: str

    def line(self) -> str:
        """For people."""
        return f"{self.what:<66} {self.goal:>14} {self.figure:>10.2f} {self.unit}"


def make_ledger(state: Path, rows: int) -> None:
    """Write a ledger with so many results, of which the oldest few are failed or have a rare label."""
    state.mkdir(parents=True)
    Ledger(state, lambda _: None, Clock()).close()
    db = open_for_writing(state).connection
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    model = db.execute("INSERT INTO model (name, sha256, labels) VALUES ('m', '00', '[]')").lastrowid
    db.executemany(_ROW, (_row(at, model) for at in range(1, rows + 1)))
    db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (rows,))
    newest = rows
    for version in range(rows - _CHANGED, rows):  # one photo that was changed again and again
        db.execute("UPDATE photo SET state = 'superseded', superseded_by = ? WHERE id = ?", (version + 1, version))
    db.execute("COMMIT")
    db.close()
    assert newest == rows


def _row(at: int, model: int | None) -> tuple[object, ...]:
    path, digest = b"2026/%03d/photo-%09d.jpg" % (at // 10_000, at), f"{at:064x}"
    if at <= _FEW:
        return (path, at, "failed", None, None, None, None, digest, "truncated", "the photo ends early", at)
    label = "rare" if at <= 2 * _FEW else ("cat", "dog", "none")[at % 3]
    scores = json.dumps({label: 0.913, "other": 0.05, "else": 0.02})
    return (path, at, "classified", model, label, 0.913, scores, digest, None, None, at)


@contextmanager
def served(state: Path, inbox: Path, *flags: str) -> Iterator[DaemonProcess]:
    """Run a daemon on the first core."""
    pin = ["taskset", "-c", _DAEMON_CORE] if shutil.which("taskset") else []
    daemon = DaemonProcess(inbox, state, *flags, before=pin)
    try:
        yield daemon.start()
    finally:
        daemon.close()


def latencies(daemon: DaemonProcess, target: Callable[[], str], asked: int = _ASKED) -> tuple[float, float]:
    """p50 and p99 in milliseconds of requests one after the other on one connection."""
    place, taken = urlsplit(daemon.url), []
    assert place.hostname is not None
    with closing(http.client.HTTPConnection(place.hostname, place.port)) as client:
        for number in range(asked + 20):
            began = time.perf_counter()
            client.request("GET", target())
            response = client.getresponse()
            response.read()
            assert response.status == 200, f"{target()}: {response.status}"
            if number >= 20:  # the first warm it up
                taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.5), percentile(taken, 0.99)


def load(
    daemon: DaemonProcess, *, rows: int = 0, rate: float = 0, seconds: float = _LOAD_SECONDS, connections: int = 8
) -> dict[str, float]:
    """Have another process ask as much as it can; return its figures."""
    pin = ["taskset", "-c", _CLIENT_CORE] if shutil.which("taskset") else []
    command = [*pin, sys.executable, "-m", "tests.benchmarks.load", daemon.url, "--rows", str(rows)]
    command += ["--rate", str(rate), "--seconds", str(seconds), "--connections", str(connections)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def idle_figures(daemon: DaemonProcess, rows: int) -> Iterator[Figure]:
    """Latencies of one who asks an idle daemon."""
    random.seed(1)
    targets: dict[str, Callable[[], str]] = {
        "/results?before=...": lambda: f"/results?before={random.randint(60, rows)}",
        "/results": lambda: "/results",
        "label, rare and old": lambda: f"/results?label=rare&before={random.randint(rows - 900, rows)}",
        "label, common": lambda: f"/results?label=cat&before={random.randint(60, rows)}",
        "label, unknown": lambda: f"/results?label=x{random.random()}",
        "status, rare and old": lambda: f"/results?status=failed&before={random.randint(rows - 900, rows)}",
        "status and common label": lambda: f"/results?status=classified&label=cat&before={random.randint(60, rows)}",
        "status that has no label": lambda: (
            f"/results?status=failed&label=cat&before={random.randint(rows - 900, rows)}"
        ),
        "limit=1000": lambda: f"/results?limit=1000&before={random.randint(rows - 900, rows)}",
        "/results/ID": lambda: f"/results/{random.randint(1, rows - _CHANGED - 1)}",
        f"/results/ID of {_CHANGED} versions": lambda: f"/results/{rows}",
        "/status": lambda: "/status",
        "/": lambda: "/",
        "/metrics": lambda: "/metrics",
    }
    for what, target in targets.items():
        asked = _ASKED if what.startswith("/results") else 300
        p50, p99 = latencies(daemon, target, asked)
        goals = ("3", "15") if what == "/results?before=..." else ("", "")
        yield Figure(f"{what}, {rows:,} rows: p50", goals[0], p50, "ms")
        yield Figure(f"{what}, {rows:,} rows: p99", goals[1], p99, "ms")


def throughput_figures(daemon: DaemonProcess, rows: int) -> Iterator[Figure]:
    """Requests per second of a daemon on one core, by the clock and by its own CPU time."""
    for what, asked in (("first page", 0), ("different pages", rows)):
        before = sum(_thread_seconds(daemon).values())
        figures = load(daemon, rows=asked, seconds=_LOAD_SECONDS)
        used = sum(_thread_seconds(daemon).values()) - before
        by_cpu = figures["per_second"] * _LOAD_SECONDS / used
        yield Figure(f"{what}, one core, {rows:,} rows", ">= 800", figures["per_second"], "requests/s")
        yield Figure(f"{what}, {rows:,} rows, by CPU time", ">= 800", by_cpu, "per CPU second")
        yield Figure(f"{what}, 8 at once, {rows:,} rows: p99", "", figures["p99"], "ms")


def classification_figures(folder: Path, rates: list[float], seconds: float = 12) -> Iterator[Figure]:
    """What serving takes from classification that keeps the core busy.

    By the daemon's own CPU time, so that other work on the machine does not count.
    """
    fill(folder / "inbox", _BACKLOG)
    with served(folder / "state", folder / "inbox", "--workers", "1") as daemon:
        eventually(lambda: sum(daemon.status()["counts"].values()) >= _BACKLOG, "the backlog is known", 300)
        _, before, at_rest = _classified(daemon, folder / "state", partial(time.sleep, seconds))
        yield Figure("photos while nobody asks", "", before, "per CPU second")
        web = {thread for thread, share in at_rest.items() if share < _SHARE_OF_WEB_AT_REST}
        for rate in rates:
            ask = partial(load, daemon, rate=rate, seconds=seconds)
            asked, during, shares = _classified(daemon, folder / "state", ask)
            share = sum(value for thread, value in shares.items() if thread in web or thread not in at_rest)
            name = f"{asked['per_second']:.0f} requests/s under full load"
            yield Figure(f"{name}: CPU share of serving", "", 100 * share, "%")
            yield Figure(f"{name}: classification slower by", f"<= {100 * share:.0f}", 100 * (1 - during / before), "%")
            yield Figure(f"{name}: p50", "", asked["p50"], "ms")
            yield Figure(f"{name}: p99", "", asked["p99"], "ms")


def _classified(daemon: DaemonProcess, state: Path, during: Callable[[], T]) -> tuple[T, float, dict[str, float]]:
    """What during returns, and meanwhile: photos per second of the daemon's CPU, and each thread's share of that."""
    photos, cpu = _answered(state), _thread_seconds(daemon)
    returned = during()
    used = {thread: seconds - cpu.get(thread, 0.0) for thread, seconds in _thread_seconds(daemon).items()}
    total = sum(used.values())
    shares = {thread: seconds / total for thread, seconds in used.items()}
    return returned, (_answered(state) - photos) / total, shares


def _answered(state: Path) -> int:
    with closing(open_for_reading(state)) as db:
        row = db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()
        return int(row[0])


def _thread_seconds(daemon: DaemonProcess) -> dict[str, float]:
    """CPU seconds of each thread (utime and stime of proc(5))."""
    found = {}
    for task in Path(f"/proc/{daemon.pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def listener_figures(daemon: DaemonProcess, inbox: Path) -> Iterator[Figure]:
    """Memory of those who listen to /events, also while results come."""
    before = memory_mib(daemon)
    place = urlsplit(daemon.url)
    assert place.hostname is not None
    with ExitStack() as stack:
        streams = []
        for _ in range(_LISTENERS):
            client = stack.enter_context(closing(http.client.HTTPConnection(place.hostname, place.port)))
            client.request("GET", "/events")
            streams.append(client.getresponse())
        yield Figure(f"{_LISTENERS} listeners", "< 20", memory_mib(daemon) - before, "MiB")
        for number in range(100):
            put(inbox / f"new-{number}.jpg", photo(number, size=(64, 64)))
        began = time.monotonic()
        for stream in streams:
            while b"new-99.jpg" not in stream.readline():
                pass
        yield Figure(f"100 results sent to {_LISTENERS} listeners in", "", time.monotonic() - began, "s")
        yield Figure(f"{_LISTENERS} listeners after 100 results", "< 20", memory_mib(daemon) - before, "MiB")


def memory_mib(daemon: DaemonProcess) -> float:
    """The memory that is the daemon's own (Pss of proc(5))."""
    for line in Path(f"/proc/{daemon.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no Pss")


def measure(folder: Path, sizes: list[int], rates: list[float]) -> Iterator[Figure]:
    """All figures, one after the other."""
    for rows in sizes:
        inbox, state = folder / f"{rows}" / "inbox", folder / f"{rows}" / "state"
        inbox.mkdir(parents=True)
        make_ledger(state, rows)
        with served(state, inbox) as daemon:
            yield Figure(f"memory at the start, {rows:,} rows", "", memory_mib(daemon), "MiB")
            yield from idle_figures(daemon, rows)
            yield from throughput_figures(daemon, rows)
            yield Figure(f"memory after all these questions, {rows:,} rows", "<= 90", memory_mib(daemon), "MiB")
            if rows == sizes[-1]:
                yield from listener_figures(daemon, inbox)
        shutil.rmtree(state)
    if rates:
        yield from classification_figures(folder / "load", rates)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="rows in the ledger")
    parser.add_argument("--rates", type=float, nargs="*", default=[100, 400, 0], help="requests/s under load; 0: most")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="dogid-web-") as folder:
        for figure in measure(Path(folder), args.sizes, args.rates):
            found.append(figure)
            if not args.json:
                print(figure.line(), flush=True)  # noqa: T201
    if args.json:
        print(json.dumps({"figures": [asdict(figure) for figure in found]}))  # noqa: T201


if __name__ == "__main__":
    main()
