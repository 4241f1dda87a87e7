"""What an export of a million results costs: rows per second, and the most memory that the command takes.

`python -m tests.benchmarks.export_cost [ROWS]` fills a ledger by SQL, exports it in every format, and over HTTP.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from dogid.clock import Clock
from dogid.ledger.ledger import Ledger
from tests.benchmarks.daemon_lap import disk
from tests.support.daemon import DaemonProcess, environment

_ROWS = 1_000_000
_FILL = """
WITH RECURSIVE photo_number (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM photo_number WHERE id < ?)
INSERT INTO photo (id, path, inode, size, mtime_ns, state, seen_at, classified_at, model_id, label, score, scores,
    sha256, width, height, decode_ms, invoke_ms, total_ms, taken_at, seq, absent_at)
SELECT id, CAST(printf('camera%d/%09d.jpg', id % 20, id) AS BLOB), id, 1000, id * 1000000000, 'classified',
    1700000000000 + id, 1700000000000 + id, 1, 'cat', 0.75, '{"cat": 0.75, "dog": 0.25}', printf('%064x', id), 640, 480,
    1.0, 2.0, 4.0, '2026-05-01T12:34:56', id, 1700000000000 FROM photo_number
"""


def fill(state: Path, rows: int) -> None:
    """Write a ledger of so many results of photos that have left."""
    state.mkdir()
    ledger = Ledger(state, lambda _: None, Clock())
    ledger.register_model("m.tflite", "00", ("cat", "dog"))
    ledger.connection.db.execute(_FILL, (rows,))
    ledger.connection.db.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (rows,))
    ledger.close()


def export(state: Path, target: Path, kind: str) -> tuple[float, int]:
    """Export a ledger; return the seconds that it took, and the most memory in bytes."""
    command = [sys.executable, "-m", "dogid", "export", "--format", kind, "-o", str(target), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--state", str(state)], env=environment(), stdout=subprocess.PIPE)
    assert process.stdout is not None
    summary = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, summary
    return time.perf_counter() - started, usage.ru_maxrss * 1024


def export_over_http(daemon: DaemonProcess) -> tuple[float, int]:
    """Read `/export.csv` to its end; return the seconds that it took, and its bytes."""
    started, size = time.perf_counter(), 0
    with urllib.request.urlopen(f"{daemon.url}export.csv") as response:
        while part := response.read(1 << 20):
            size += len(part)
    return time.perf_counter() - started, size


def main() -> None:
    """Print a line for each way."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    with tempfile.TemporaryDirectory(prefix="dogid-export-", dir=disk()) as name:
        folder = Path(name)
        fill(folder / "state", rows)
        for kind in ("csv", "megadetector", "camtrap-dp"):
            seconds, memory = export(folder / "state", folder / kind, kind)
            print(f"{kind:>13}: {rows / seconds:7,.0f} rows/s, {memory / 2**20:.0f} MiB")  # noqa: T201
        (folder / "inbox").mkdir()
        daemon = DaemonProcess(folder / "inbox", folder / "state").start()
        try:
            before = _peak_memory(daemon.pid)
            seconds, size = export_over_http(daemon)
            grown = _peak_memory(daemon.pid) - before
            print(f"  /export.csv: {rows / seconds:7,.0f} rows/s, {size / 1e6:.0f} MB sent, +{grown / 2**20:.0f} MiB")  # noqa: T201
        finally:
            daemon.close()


def _peak_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
