"""A stop wins over whatever the daemon is doing; no systemd is needed."""

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.service.ear import Ear
from tests.support.daemon import ROOT, DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

HANGING = photo(4) + b"a photo that hangs the decoder" + b"\xff\xd9"
MOST_SECONDS = 5.0


@pytest.fixture
def hanging(make_daemon: MakeDaemon, inbox: Path, ear: Ear) -> DaemonProcess:
    """A daemon whose only worker hangs, for as long as it likes."""
    path = os.pathsep.join(str(folder) for folder in (ROOT / "tests" / "support" / "harmful", ROOT / "daemon"))
    environ = {"PYTHONPATH": path, "NOTIFY_SOCKET": ear.address}
    daemon = make_daemon("--workers", "1", "--decode-timeout", "3600", environ=environ).start()
    put(inbox / "hangs.jpg", HANGING)
    eventually(lambda: daemon.status()["queue"]["in_flight"] == 1, "the worker has the photo")
    return daemon


def seconds_to_stop(daemon: DaemonProcess) -> float:
    """Stop it by SIGTERM; return how long that took."""
    began = time.monotonic()
    assert daemon.stop() == 0
    return time.monotonic() - began


def test_a_stop_wins_over_a_worker_that_hangs(hanging: DaemonProcess) -> None:
    assert seconds_to_stop(hanging) < MOST_SECONDS


def test_a_stop_wins_over_a_reload(hanging: DaemonProcess, ear: Ear) -> None:
    hanging.send(signal.SIGHUP)
    ear.hear_of("RELOADING=1")  # which lasts until the worker comes back: never

    assert seconds_to_stop(hanging) < MOST_SECONDS
    assert ear.hear_of("STOPPING=1")
    assert "refused" not in hanging.log_text()


def test_a_stop_wins_over_a_start(make_daemon: MakeDaemon, ear: Ear) -> None:
    daemon = make_daemon(environ={"NOTIFY_SOCKET": ear.address}).start()
    assert daemon.stop() == 0
    ear.hear_of("STOPPING=1")
    other = sqlite3.connect(daemon.state / "ledger.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    daemon.launch()
    ear.hear_of("STATUS=opening the ledger")  # which waits for the other program

    assert seconds_to_stop(daemon) < MOST_SECONDS
    assert ear.hear_of("STOPPING=1")
    other.close()


def test_a_stop_that_is_asked_for_twice_at_once_is_heard(make_daemon: MakeDaemon) -> None:
    for pair in [(signal.SIGINT, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)] * 8:
        daemon = make_daemon().start()
        for number in pair:
            daemon.send(number)
        assert daemon.wait() == 0
