"""The same photos by `dogid batch` and by the daemon: photos per second of one core, and whether all rows are equal.

`python -m tests.benchmarks.archive_against_daemon [PHOTOS] [FOLDER]` makes that many photos of 0.3 megapixels, every
fiftieth of them cut short; with a folder, it takes copies of the photos in that instead.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dogid.archive.output_folder import read_output
from dogid.archive.reading import iterate_results
from tests.benchmarks.daemon_lap import disk
from tests.support.daemon import DaemonProcess, environment
from tests.support.photos import photo, put
from tests.support.waiting import eventually

_PHOTOS = 2_000
_KINDS = 40
_CUT_EVERY = 50
_TIMEOUT = 3600.0
_OF_THE_RUN = ("id", "classified_at", "timings_ms", "present", "reviewed")
_CORE = os.sysconf("SC_CLK_TCK")


def _contents(folder: Path | None) -> Iterator[bytes]:
    """Yield photos, again and again."""
    if folder is None:
        yield from itertools.cycle([photo(number, size=(640, 480)) for number in range(_KINDS)])
    files = sorted(path for path in (folder or Path()).rglob("*") if path.is_file())
    yield from itertools.cycle(path.read_bytes() for path in files)


def _fill(inbox: Path, count: int, folder: Path | None) -> None:
    for number, data in zip(range(count), _contents(folder), strict=False):
        cut = folder is None and number % _CUT_EVERY == 0
        put(inbox / f"camera{number % 20}" / f"{number:06}.jpg", data[: len(data) // 2] if cut else data)


def _run_batch(inbox: Path, out: Path) -> tuple[float, float]:
    """Return the seconds that it took, and those of the processor."""
    command = [sys.executable, "-m", "dogid", "batch", str(inbox), "-o", str(out), "--engine", "local", "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    summary = json.loads(process.stdout.read())
    _, process.returncode, usage = os.wait4(process.pid, 0)
    assert summary["missing"] == 0
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def _run_daemon(daemon: DaemonProcess, count: int) -> tuple[float, float]:
    """The same from the daemon's start until all photos have their answer."""
    started = time.perf_counter()
    daemon.start()

    def is_done() -> bool:
        counts = daemon.status()["counts"]
        return bool(counts["classified"] + counts["failed"] == count)

    eventually(is_done, "all photos are answered", _TIMEOUT)
    seconds = time.perf_counter() - started
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return seconds, (int(fields[11]) + int(fields[12])) / _CORE


def _of_photo(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in _OF_THE_RUN}


def main() -> None:
    """Print a line for each, and how many rows differ."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _PHOTOS
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix="dogid-archive-", dir=disk()) as name:
        inbox, out = Path(name) / "inbox", Path(name) / "out"
        _fill(inbox, count, folder)
        daemon = DaemonProcess(inbox, Path(name) / "state", "--settle", "1")
        try:
            for title, (seconds, processor) in (
                ("batch", _run_batch(inbox, out)), ("daemon", _run_daemon(daemon, count)),
            ):  # fmt: skip
                rate = f"{count / processor:7.1f} photos per second of one core, {count / seconds:7.1f} of the clock"
                print(f"{title:>7}: {rate}", flush=True)  # noqa: T201
            expected = {file: _of_photo(result) for file, result in daemon.results_by_name().items()}
        finally:
            daemon.close()
        rows = [result for results in iterate_results(read_output(str(out))) for result in results]
        found = {result["file"]: _of_photo(result) for result in rows}
        different = [file for file in expected | found if expected.get(file) != found.get(file)]
        print(f"{len(rows)} rows, {len(different)} differ from the daemon's {different[:5]}")  # noqa: T201
        shutil.rmtree(out)


if __name__ == "__main__":
    main()
