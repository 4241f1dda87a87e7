"""Use a real daemon in every way at once for a long time, and compare what it says with bookkeeping of our own.

`python -m tests.soak.harness --minutes 30` prints a report. Photos arrive, small and large, one by one and in bursts;
they are overwritten (also with the same size and date), renamed, rotated, exchanged, linked, archived and deleted.
Others ask for results, the page and single files, upload photos and listen to events; settings are reloaded. At no time
does a name show the answer of a photo that it never had. In the end every file has the one right result of its bytes,
every such result was heard as an event, and memory, descriptors and threads did not grow between the second and the
last third of the time; in less than five minutes, memory not by more than comes of warming up.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.contents import prepare
from tests.soak.folder import Folder
from tests.soak.resources import Sampler
from tests.soak.users import Observations, Users
from tests.soak.witness import LONGEST_LAG, Witness
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.waiting import eventually

_MOST_FILES = 400
_GROWTH = 1.05  # of memory, from the second third of the time to the last
_NOISE_MB = 3.0  # that come and go with what happens to be decoded
_WARM_SECONDS = 300.0
_WARM_UP_MB = 200.0
"""Growth that proves nothing in a shorter time: until each thread has met the largest photos, its heap still grows. In
eight minutes the thirds of the time were within 5 MB of each other, in 40 s beside other work up to 91 MB apart."""
_NOISE_COUNT = 3  # descriptors and threads, likewise


@dataclass(slots=True)
class Report:
    """What happened, in figures."""

    seconds: float = 0.0
    changes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    results: int = 0
    compared: int = 0
    oldest: float = 0.0
    rss: tuple[float, float, float] = (0.0, 0.0, 0.0)
    descriptors: tuple[float, float, float] = (0.0, 0.0, 0.0)
    threads: tuple[float, float, float] = (0.0, 0.0, 0.0)
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people."""
        done = ", ".join(f"{number} {what}" for what, number in sorted((self.changes | self.counts).items()))
        lines = [
            f"{self.seconds:.0f} s: {done}",
            f"{self.results} files at the end, each compared with its one result",
            f"{self.compared} results compared on the way; the oldest was of a content gone for {self.oldest:.1f} s",
            f"memory by thirds of the time: {_thirds(self.rss)} MB",
            f"descriptors: {_thirds(self.descriptors)}; threads: {_thirds(self.threads)}",
            f"{len(self.faults)} faults",
        ]
        return "\n".join(lines + [f"  {fault}" for fault in self.faults])


def _thirds(figures: tuple[float, float, float]) -> str:
    return ", ".join(f"{figure:.1f}".removesuffix(".0") for figure in figures)


def run(
    seconds: float,
    seed: int = 1,
    *,
    progress: bool = False,
    large_seconds: float = 4.0,
    longest_lag: float = LONGEST_LAG,
) -> Report:
    """Use a daemon for so long; return what was seen.

    A large photo comes every large_seconds; longest_lag: seconds for which a photo may keep its former result.
    """
    prepare()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="dogid-soak-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        config = place / "dogid.toml"
        config.write_text("workers = 2\n")
        (place / "inbox").mkdir()
        daemon = DaemonProcess(place / "inbox", place / "state", "--settle", "0.5", "--config", str(config))
        folder = Folder(daemon.inbox, place / "archive", random.Random(seed))
        witness = Witness(daemon, folder.books, longest_lag)
        folder.prepare()
        try:
            daemon.start()
            eventually(lambda: fetch(daemon.url, "/healthz").status == 200, "it is healthy")
            users, sampler = Users(daemon, folder, witness, config), Sampler(daemon.pid)
            sampler.start()
            users.start(_MOST_FILES, large_seconds)
            _wait(seconds, daemon, users, progress=progress)
            sampler.stop()
            users.stop_changes()
            report.faults += _wrong_results(daemon, folder, users.seen, report)
            users.stop()
            report.seconds, report.changes, report.counts = seconds, folder.changes, users.seen.counts
            report.faults += users.seen.faults
            report.compared, report.oldest = witness.compared, witness.oldest
            report.faults += _growth(sampler, report)
            report.faults += _log_faults(daemon)
            if daemon.stop() != 0:
                report.faults.append("the daemon did not end with 0")
        finally:
            daemon.close()
    return report


def _wait(seconds: float, daemon: DaemonProcess, users: Users, *, progress: bool) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and daemon.running:
        users.all_end.wait(min(10.0, max(0.0, deadline - time.monotonic())))
        if progress:
            left, faults = deadline - time.monotonic(), len(users.seen.faults)
            print(f"{left:.0f} s left, {sum(users.seen.counts.values())} operations, {faults} faults", file=sys.stderr)  # noqa: T201
    if not daemon.running:
        users.seen.fault(f"the daemon ended: {daemon.log_text()[-2000:]}")


def _wrong_results(daemon: DaemonProcess, folder: Folder, seen: Observations, report: Report) -> Iterator[str]:
    """Wait until all is answered, then compare the results of the files that are there with what they must be."""
    with folder.lock:
        files = dict(folder.files)

    def is_answered() -> bool:
        found = daemon.results_by_name()
        return all(name in found and found[name]["sha256"] == content.sha256 for name, content in files.items())

    with contextlib.suppress(AssertionError):  # then each that is wrong is named below
        eventually(is_answered, "every file has the result of its bytes", timeout=120)
        eventually(lambda: all(content.sha256 in seen.heard for content in files.values()), "all came as events")
    results = daemon.results_by_name()
    report.results = len(files)
    for name, content in files.items():
        result = results.get(name)
        if result is None:
            yield f"{name}: no result"
        elif (result["sha256"], result["scores"]) != (content.sha256, content.scores):
            yield f"{name}: {result['status']} {result['scores']} {result['error']}"
        elif content.sha256 not in seen.heard:
            yield f"{name}: its result did not come as an event"
    try:
        daemon.wait_for_clean_audit()
    except AssertionError as error:
        yield str(error)


def _growth(sampler: Sampler, report: Report) -> Iterator[str]:
    report.rss = sampler.thirds(lambda at: at.rss)
    report.descriptors = sampler.thirds(lambda at: at.descriptors)
    report.threads = sampler.thirds(lambda at: at.threads)
    noise = _NOISE_MB if report.seconds >= _WARM_SECONDS else _WARM_UP_MB
    if report.rss[2] > report.rss[1] * _GROWTH + noise:
        yield f"memory grew: {_thirds(report.rss)} MB"
    for what, figures in (("descriptors", report.descriptors), ("threads", report.threads)):
        if figures[2] > figures[1] + _NOISE_COUNT:
            yield f"{what} grew: {_thirds(figures)}"


def _log_faults(daemon: DaemonProcess) -> Iterator[str]:
    for line in daemon.log_text().splitlines():
        if "Traceback" in line or " ERROR " in line or " CRITICAL " in line:
            yield f"log: {line}"


def main() -> int:
    """Run for as long as the command line asks for; exit 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large-seconds", type=float, default=4.0, help="between large photos; 0.3: a full queue")
    args = parser.parse_args()
    report = run(args.minutes * 60, args.seed, progress=True, large_seconds=args.large_seconds)
    print(report.text())  # noqa: T201
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
