"""The daemon as a contender: a real `dogid run` on a real folder, photos renamed into it, results on disk.

Its defaults are kept: the ledger, durable commits, the log, the health check. Each lap has a fresh ledger on the disk.
"""

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dogid.ledger import queries
from dogid.ledger.database import open_for_reading
from tests.benchmarks.contender import Lap
from tests.benchmarks.process import cpu_seconds
from tests.support.daemon import DaemonProcess

_REST_SECONDS = 0.3
_LONG_PAUSE, _SHORT_PAUSE = 0.2, 0.002
_LAST_SECONDS = 0.8  # results come in groups: what is seen may be some tenths of a second old
_TIMEOUT = 300.0


@contextlib.contextmanager
def daemon(
    beside: Path, *flags: str, environ: Mapping[str, str] | None = None, state: Path | None = None
) -> Iterator[DaemonProcess]:
    """A running daemon with its inbox on beside's file system, and its ledger in state or else on the disk."""
    with (
        tempfile.TemporaryDirectory(prefix="inbox-", dir=beside) as inbox,
        tempfile.TemporaryDirectory(prefix="dogid-state-", dir=disk()) as folder,
    ):
        process = DaemonProcess(Path(inbox), state or Path(folder) / "state", *flags, environ=environ)
        try:
            yield process.start()
        finally:
            process.close()


def disk() -> Path:
    """A folder that is on a disk, where a commit costs what it costs: /var/tmp lasts over restarts."""
    return Path(os.environ.get("DOGID_BENCH_DISK", "/var/tmp"))


def lap(paths: Sequence[Path], *flags: str, environ: Mapping[str, str] | None = None) -> Lap:
    """Rename photos into a daemon's inbox; return what it took until the last had its result. They are put back."""
    with daemon(paths[0].parent, *flags, environ=environ) as process, renamed_into(process.inbox, paths) as begin:
        time.sleep(_REST_SECONDS)  # the start is not over when it answers: the first scan, the first proof
        cpu, begun = cpu_seconds(process.pid), time.perf_counter()
        begin()
        wait_for(process, len(paths), begun)
        return Lap(len(paths), time.perf_counter() - begun, cpu_seconds(process.pid) - cpu)


@contextlib.contextmanager
def renamed_into(inbox: Path, paths: Sequence[Path]) -> Iterator["Renaming"]:
    """Give the means to rename photos into an inbox, and put them back afterwards."""
    renaming = Renaming(inbox, paths)
    try:
        yield renaming
    finally:
        renaming.undo()


class Renaming:
    """Photos, and where they go."""

    def __init__(self, inbox: Path, paths: Sequence[Path]) -> None:
        self._inbox = inbox
        self._pairs = [(path, inbox / path.name) for path in paths]

    def __call__(self) -> None:
        """Rename them, one by one."""
        for path, there in self._pairs:
            path.rename(there)

    def one(self, path: Path) -> None:
        """Rename one of them."""
        path.rename(self._inbox / path.name)

    def undo(self) -> None:
        """Put those back that were renamed."""
        for path, there in self._pairs:
            if there.exists():
                there.rename(path)


def wait_for(process: DaemonProcess, count: int, begun: float) -> None:
    """Wait until so many are answered, and return within milliseconds; meanwhile the daemon has all cores.

    Looks into the ledger, seldom while much is left. Towards the end it only asks whether somebody has committed, which
    SQLite reads from shared memory: https://sqlite.org/pragma.html#pragma_data_version.
    """
    with contextlib.closing(open_for_reading(process.state)) as db:
        known, done = None, 0
        while True:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            if version != known:
                known, done = version, _answered(db, process)
            if done >= count:
                return
            spent = time.perf_counter() - begun
            if spent > _TIMEOUT:
                raise AssertionError(f"{done} of {count} photos after {spent:.0f} s")
            left = (count - done) * spent / done if done else 0.0
            time.sleep(_LONG_PAUSE if left > _LAST_SECONDS else _SHORT_PAUSE)


def _answered(db: sqlite3.Connection, process: DaemonProcess) -> int:
    counts = queries.count_by_status(db)
    if counts["failed"]:
        raise AssertionError(f"photos failed:\n{process.log_text()[-2000:]}")
    return counts["classified"]
