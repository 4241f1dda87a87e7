"""What a daemon does where its ledger cannot be written, or turns out to be damaged."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.support.waiting import eventually


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs root, to mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Write a file that takes all room that is left; return it."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


def wait_for_log(daemon: DaemonProcess, text: str) -> None:
    eventually(lambda: text in daemon.log_text(), f"the log contains {text!r}")


def test_results_wait_for_room_on_the_disk(make_daemon: MakeDaemon, inbox: Path, small_disk: Path) -> None:
    daemon = make_daemon(state=small_disk / "state").start()
    put(inbox / "before.jpg", photo(1))
    daemon.wait_for_classified("before.jpg", photo(1))
    filler = fill(small_disk)
    put(inbox / "meanwhile.jpg", photo(2))
    wait_for_log(daemon, "cannot be written, trying again: database or disk is full")

    assert set(daemon.results_by_name()) >= {"before.jpg"}
    filler.unlink()
    daemon.wait_for_classified("meanwhile.jpg", photo(2))
    assert daemon.stop() == 0
    daemon.wait_for_clean_audit(2)


def damage(state: Path) -> None:
    """Have the table of photos begin at a page that does not exist."""
    with contextlib.closing(sqlite3.connect(state / "ledger.db", isolation_level=None)) as db:
        (version,) = db.execute("PRAGMA schema_version").fetchone()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 'photo'")
        db.execute(f"PRAGMA schema_version = {version + 1}")


def test_damaged_ledger_is_moved_aside_at_next_start(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon().start()
    put(inbox / "before.jpg", photo(1))
    daemon.wait_for_classified("before.jpg", photo(1))
    damage(daemon.state)
    put(inbox / "after.jpg", photo(2))
    wait_for_log(daemon, "the ledger is damaged; the next start moves it aside and makes a new one")

    eventually(lambda: fetch(daemon.url, "/healthz").status == 503, "the daemon calls itself unhealthy")
    daemon.stop()
    daemon.start()
    daemon.wait_for_classified("before.jpg", photo(1))
    daemon.wait_for_classified("after.jpg", photo(2))
    assert [name for name in os.listdir(daemon.state) if name.startswith("ledger.db.damaged-")]
