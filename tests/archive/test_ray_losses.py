"""A run on Ray that loses its photos, its room for results, or its user; the next one does the rest."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive.archives import Batch, count_rows, results_of
from tests.support.ctrl_c import INTERRUPTED
from tests.support.daemon import environment
from tests.support.photos import photo, put, put_all
from tests.support.privileges import needs_root
from tests.support.waiting import eventually

pytest.importorskip("ray", reason="ray is not installed")
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

_SECONDS = 400.0  # on a machine with much else to do
_SMALL_BLOCKS = """import sys
from dogid.archive import ray_engine
ray_engine._BLOCK_ENTRIES = {rows}
from dogid.cli import main
sys.exit(main(sys.argv[1:]))"""


def start(archive: Path, out: Path, block_rows: int, workers: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SMALL_BLOCKS.format(rows=block_rows), "batch", str(archive), "-o", str(out)]
    return subprocess.Popen(
        ["env", "--default-signal=INT", *command, "--engine", "ray", "--workers", str(workers), "--json"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def fill(folder: Path, count: int) -> None:
    """Put so many photos into a folder, each of which takes some milliseconds."""
    first = put(folder / "0.jpg", photo(1, size=(1600, 1200)))
    for number in range(1, count):
        os.link(first, folder / f"{number}.jpg")


def has_part_files(out: Path) -> bool:
    return any((out / "results").glob("*.parquet"))


@needs_root
def test_disk_that_goes_away_ends_the_run_without_vanished_photos(tmp_path: Path) -> None:
    disk, mounted, out = tmp_path / "disk", tmp_path / "mounted", tmp_path / "out"
    fill(disk, 3000)
    mounted.mkdir()
    subprocess.run(["mount", "--bind", disk, mounted], check=True)
    try:
        lost = start(mounted, out, block_rows=50, workers=1)  # a second one may begin with the empty folder
        eventually(lambda: has_part_files(out), "a part file is written", _SECONDS)
        subprocess.run(["umount", "--lazy", mounted], check=True)
        _, said = lost.communicate(timeout=_SECONDS)
        codes = [result["error"] and result["error"]["code"] for result in results_of(out).values()]
    finally:
        subprocess.run(["mount", "--bind", disk, mounted], check=True)
    try:
        summary = json.loads(start(mounted, out, block_rows=1000).communicate(timeout=_SECONDS)[0])
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)

    assert lost.returncode == 1
    assert "the last 200 photos could not be read" in said
    assert "was its disk unmounted?" in said
    assert set(codes) <= {None, "unreadable"}
    assert 0 < codes.count(None) == summary["done_before"] < 3000
    assert summary["counts"] == {"classified": 3000, "failed": 0}
    assert count_rows(out) == len(results_of(out)) == 3000


@needs_root
def test_full_disk_is_named_and_the_next_run_goes_on(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = put_all(tmp_path / "archive", {f"{number}.jpg": photo(number % 3) for number in range(40)})
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr("dogid.archive.ray_engine._BLOCK_ENTRIES", 1)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], check=True)
    try:
        on_ray = ("batch", str(archive), "-o", str(disk / "out"), "--json", "--engine", "ray", "--workers", "1")
        full = batch.run(*on_ray)
        kept = count_rows(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=9m", disk], check=True)
        run = batch.run(*on_ray)

        assert full.status == 1
        assert "No space left on device: what was finished before is kept; make room" in full.stderr
        assert "Traceback" not in full.stderr
        assert 0 < kept < 40
        assert (run.status, run.summary["new"], count_rows(disk / "out")) == (0, 40 - kept, 40)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_interrupted_run_keeps_its_part_files(tmp_path: Path) -> None:
    archive, out = tmp_path / "archive", tmp_path / "out"
    fill(archive, 2000)

    interrupted = start(archive, out, block_rows=20)
    eventually(lambda: has_part_files(out), "a part file is written", _SECONDS)
    interrupted.send_signal(signal.SIGINT)
    _, said = interrupted.communicate(timeout=_SECONDS)
    kept = count_rows(out)
    summary = json.loads(start(archive, out, block_rows=1000).communicate(timeout=_SECONDS)[0])

    assert interrupted.returncode in INTERRUPTED
    assert f"interrupted: {kept:,} new results are kept" in said
    assert "Traceback" not in said
    assert 0 < kept < 2000
    assert (summary["done_before"], summary["new"], count_rows(out)) == (kept, 2000 - kept, 2000)
