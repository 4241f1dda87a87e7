"""`make archive`: an archive of 20,000 photos on Ray against the daemon, and the memory that a million entries take."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.archive.archives import count_rows, results_of
from tests.conftest import MakeDaemon
from tests.support.photos import photo, put
from tests.support.waiting import eventually

pytest.importorskip("ray", reason="ray is not installed")
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

_OF_THE_RUN = ("id", "classified_at", "timings_ms", "present", "reviewed")
_PHOTOS, _KINDS = 20_000, 400
_ENTRIES = 1_000_000
_DRIVER_MB, _ACTOR_MB = 500, 350  # 354 and 250 MB were measured


def run_on_ray(source: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dogid", "batch", str(source), "-o", str(out), "--engine", "ray", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_20000_rows_equal_the_daemons(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    for number in range(_KINDS):
        data = photo(number) if number % 50 else photo(number)[:2000]
        put(inbox / f"{number:05}.jpg", data)
    for number in range(_KINDS, _PHOTOS):
        os.link(inbox / f"{number % _KINDS:05}.jpg", inbox / f"{number:05}.jpg")

    run_on_ray(inbox, tmp_path / "out").communicate()
    daemon = make_daemon("--settle", "1").start()
    eventually(lambda: sum(daemon.status()["counts"].values()) == _PHOTOS, "all photos are known", 1800)
    eventually(lambda: daemon.status()["counts"]["pending"] == 0, "all photos have their answers", 1800)

    found, expected = results_of(tmp_path / "out"), daemon.results_by_name()
    assert len(found) == _PHOTOS
    for name, result in expected.items():
        assert {key: found[name][key] for key in found[name] if key not in _OF_THE_RUN} == {
            key: result[key] for key in found[name] if key not in _OF_THE_RUN
        }


def test_million_entries_take_bounded_memory(tmp_path: Path) -> None:
    names = [f"photos/{number:07}.jpg" for number in range(_ENTRIES)]
    (tmp_path / "photos").mkdir()
    put(tmp_path / "photos" / "0000000.jpg", photo(0))
    table = pa.table({"path": names, "size": [1000] * _ENTRIES, "mtime": [1.7e9] * _ENTRIES})
    pq.write_table(table, tmp_path / "list.parquet")

    driver = run_on_ray(tmp_path / "list.parquet", tmp_path / "out")
    peaks: dict[str, int] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=watch_memory, args=(driver.pid, peaks, ended))
    watcher.start()
    stdout, _ = driver.communicate()
    ended.set()
    watcher.join()

    sys.stdout.write(f"peak of memory, MB: {peaks}\n")
    assert json.loads(stdout)["counts"] == {"classified": 1, "failed": _ENTRIES - 1}
    assert count_rows(tmp_path / "out") == _ENTRIES
    assert peaks["driver"] < _DRIVER_MB
    assert peaks["actor"] < _ACTOR_MB


def watch_memory(driver: int, peaks: dict[str, int], ended: threading.Event) -> None:
    """Note the most memory (resident, MB) of the driver and of any actor."""
    while not ended.wait(0.5):
        listed = subprocess.run(["ps", "-eo", "pid,rss,args"], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines()[1:]:
            pid, size, name = line.split(maxsplit=2)
            kind = "driver" if int(pid) == driver else "actor" if name.startswith("ray::MapWorker(MapBatches") else None
            if kind:
                peaks[kind] = max(peaks.get(kind, 0), int(size) // 1024)
