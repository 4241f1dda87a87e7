"""The same `dogid batch` again: it does what is missing, and only that."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dogid.archive.entries import make_entry
from dogid.archive.entry_classifier import EntryClassifier
from dogid.archive.manifest import write_manifest
from dogid.archive.storage import LocalStorage
from tests.archive.archives import Batch, count_rows, results_of
from tests.support.ctrl_c import INTERRUPTED
from tests.support.daemon import environment
from tests.support.photos import photo, put, put_all
from tests.support.privileges import needs_root
from tests.support.waiting import eventually

_SECONDS = 180.0  # on a machine with much else to do
_SMALL_BLOCKS = """import sys
from dogid.archive import local_engine
local_engine.BLOCK_ROWS = {rows}
from dogid.cli import main
sys.exit(main(sys.argv[1:]))"""


def test_second_run_does_new_changed_and_lost_photos_only(batch: Batch, tmp_path: Path) -> None:
    archive = put_all(tmp_path / "archive", {f"{number}.jpg": photo(number) for number in range(6)})
    out = tmp_path / "out"
    assert batch(archive, out).summary["new"] == 6
    assert batch(archive, out).summary["new"] == 0
    first = results_of(out)

    (archive / "0.jpg").unlink()
    put(archive / "1.jpg", photo(11, size=(500, 400)))
    put(archive / "new.jpg", photo(12))
    run = batch(archive, out)

    found = results_of(out)
    assert (run.status, run.summary["new"], run.summary["done_before"], run.summary["missing"]) == (0, 2, 4, 0)
    assert count_rows(out) == len(found) == 7  # that of the removed photo stays, and the former version of 1.jpg goes
    assert (found["1.jpg"]["width"], found["1.jpg"]["id"] != first["1.jpg"]["id"]) == (500, True)
    assert [found[name] for name in ("0.jpg", "2.jpg")] == [first[name] for name in ("0.jpg", "2.jpg")]


def test_what_the_machine_failed_at_is_tried_again(batch: Batch, tmp_path: Path) -> None:
    put_all(tmp_path, {"a.jpg": photo(1), "cut.jpg": photo(2)[:2000], "large.jpg": photo(3, size=(900, 900))})
    put(tmp_path / "list.txt", b"a.jpg\ncut.jpg\nlater.jpg\nlarge.jpg\n")
    out = tmp_path / "out"
    errors = batch(tmp_path / "list.txt", out, "--max-pixels", "300000").summary["errors"]
    assert errors == {"truncated": 1, "vanished": 1, "too_large": 1}

    put(tmp_path / "later.jpg", photo(4))
    run = batch(tmp_path / "list.txt", out)

    assert (run.summary["new"], run.summary["errors"]) == (2, {"truncated": 1})
    assert count_rows(out) == len(results_of(out)) == 4


def test_photos_that_change_after_the_listing_are_done_by_the_next_run(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = put_all(tmp_path / "archive", {f"{name}.jpg": photo(number) for number, name in enumerate("abc")})
    classify = EntryClassifier.classify

    def classify_after_changes(*args: Any) -> Any:
        (archive / "b.jpg").unlink(missing_ok=True)
        put(archive / "c.jpg", photo(9, size=(500, 400)))
        return classify(*args)

    with monkeypatch.context() as patch:
        patch.setattr(EntryClassifier, "classify", classify_after_changes)
        changing = batch(archive, tmp_path / "out")
    run = batch(archive, tmp_path / "out")

    assert (changing.status, changing.summary["errors"]) == (1, {"vanished": 1})
    assert (run.status, run.summary["new"], run.summary["photos"]) == (0, 1, 2)
    assert results_of(tmp_path / "out")["c.jpg"]["width"] == 500


def test_rows_that_two_runs_have_written_become_one(batch: Batch, tmp_path: Path) -> None:
    archive, out = (
        put_all(tmp_path / "archive", {f"{name}.jpg": photo(n) for n, name in enumerate("ab")}),
        tmp_path / "out",
    )
    batch(archive, out)
    first = results_of(out)
    (part,) = (out / "results").iterdir()
    put(out / "results" / "of-another-run.parquet", part.read_bytes())
    put(archive / "c.jpg", photo(3))
    assert count_rows(out) == 4

    run = batch(archive, out)

    assert (run.status, run.summary["new"], run.summary["done_before"], count_rows(out)) == (0, 1, 2, 3)
    assert {name: row for name, row in results_of(out).items() if name != "c.jpg"} == first


@pytest.mark.timeout(400)
def test_deleted_photo_fails_no_later_run(batch: Batch, tmp_path: Path) -> None:
    archive = put_all(tmp_path / "archive", {"a.jpg": photo(1), "bad.jpg": b"bad"})
    assert batch(archive, tmp_path / "out").status == 1
    (archive / "bad.jpg").unlink()
    run = batch(archive, tmp_path / "out")
    assert (run.status, run.summary["counts"]) == (0, {"classified": 1, "failed": 0})
    assert "bad.jpg" in results_of(tmp_path / "out")


def test_raised_limit_survives_a_run_that_fails(batch: Batch, tmp_path: Path) -> None:
    archive, out = put_all(tmp_path / "archive", {"a.jpg": photo(1, size=(800, 600))}), tmp_path / "out"
    assert batch(archive, out, "--max-pixels", "300000").summary["errors"] == {"too_large": 1}
    (out / "manifest").rename(tmp_path / "manifest")
    put(out / "manifest", b"")  # no listing can be written there
    assert batch(archive, out).status == 1
    (out / "manifest").unlink()
    assert batch(archive, out).status == 0


def test_killed_and_interrupted_runs_keep_finished_photos(tmp_path: Path) -> None:
    source = put(tmp_path / "source.jpg", photo(1, size=(1600, 1200)))
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(120):
        os.link(source, archive / f"{number}.jpg")
    out = tmp_path / "out"

    killed = _start(archive, out, block_rows=5)
    eventually(lambda: len(list((out / "results").glob("*.parquet"))) >= 2, "two blocks are written", _SECONDS)
    killed.kill()
    killed.communicate()
    after_kill = count_rows(out)
    interrupted = _start(archive, out, block_rows=5)
    eventually(lambda: count_rows(out) > after_kill, "another block is written", _SECONDS)
    interrupted.send_signal(signal.SIGINT)
    _, message = interrupted.communicate()
    after_interrupt = count_rows(out)
    last = _start(archive, out, block_rows=5_000)
    summary = json.loads(last.communicate()[0])

    assert 10 <= after_kill < after_interrupt < 120
    assert after_kill % 5 == 0
    assert interrupted.returncode in INTERRUPTED
    assert f"interrupted: {after_interrupt - after_kill:,} new results are kept" in message
    assert (last.returncode, summary["new"], summary["done_before"]) == (0, 120 - after_interrupt, after_interrupt)
    assert count_rows(out) == len(results_of(out)) == 120


def _start(archive: Path, out: Path, *, block_rows: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _SMALL_BLOCKS.format(rows=block_rows), "batch", str(archive), "-o", str(out)]
    return subprocess.Popen(
        ["env", "--default-signal=INT", *command, "--engine", "local", "--json"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@needs_root
def test_full_disk_is_named_and_the_next_run_goes_on(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = put_all(tmp_path / "archive", {f"{number}.jpg": photo(number % 3) for number in range(40)})
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], check=True)
    try:
        monkeypatch.setattr("dogid.archive.local_engine.BLOCK_ROWS", 1)
        full = batch(archive, disk / "out")
        kept = count_rows(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=9m", disk], check=True)
        run = batch(archive, disk / "out")

        assert full.status == 1
        assert "No space left on device: what was finished before is kept; make room" in full.stderr
        assert 0 < kept < 40
        assert (run.status, run.summary["new"], count_rows(disk / "out")) == (0, 40 - kept, 40)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_photos_whose_hashes_collide_are_kept_apart(tmp_path: Path) -> None:
    one, other = make_entry("one.jpg", 1, 1), make_entry("other.jpg", 1, 1)
    entries = [one, other._replace(id=one.id), one, make_entry("third.jpg", 1, 1)]
    for token in ("first", "second"):
        manifest = write_manifest(LocalStorage(tmp_path), token, iter(entries))
        found = {entry.file: entry.id for entries in manifest.iterate_ranges() for entry in entries}

        assert found == {"one.jpg": one.id, "other.jpg": one.id + 1, "third.jpg": entries[3].id}
        assert manifest.rows == 3
    assert sorted(path.name for path in (tmp_path / "manifest").iterdir()) == ["current.json", "second"]


def test_run_that_lost_its_output_writes_no_more(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    put(tmp_path / "in" / "a.jpg", photo(1))
    classify = EntryClassifier.classify

    def classify_after_another_claim(*args: Any) -> Any:
        (out / ".run").write_text("another run")
        return classify(*args)

    with monkeypatch.context() as patch:
        patch.setattr(EntryClassifier, "classify", classify_after_another_claim)
        lost = batch(tmp_path / "in", f"file://{out}")  # by its URL, the folder is not locked

    assert (lost.status, count_rows(out)) == (1, 0)
    assert "another dogid batch writes into it now" in lost.stderr
    assert batch(tmp_path / "in", f"file://{out}").summary["new"] == 1
