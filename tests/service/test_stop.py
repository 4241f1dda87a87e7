"""A stop wins over whatever the daemon is doing; no systemd is needed."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.service.notify_socket import NotifySocket
from tests.support.daemon import ROOT, DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

HANGING = photo(4) + b"a photo that hangs the decoder" + b"\xff\xd9"


@pytest.fixture
def hanging(make_daemon: MakeDaemon, inbox: Path, notify_socket: NotifySocket) -> DaemonProcess:
    """A daemon whose only worker hangs, for as long as it likes."""
    path = os.pathsep.join(str(folder) for folder in (ROOT / "tests" / "support" / "harmful", ROOT / "daemon"))
    environ = {"PYTHONPATH": path, "NOTIFY_SOCKET": notify_socket.address}
    daemon = make_daemon("--workers", "1", "--decode-timeout", "3600", environ=environ).start()
    put(inbox / "hangs.jpg", HANGING)
    eventually(lambda: daemon.status()["queue"]["in_flight"] == 1, "the worker has the photo")
    return daemon


def test_stop_wins_over_hanging_worker(hanging: DaemonProcess) -> None:
    assert hanging.stop() == 0


def test_stop_wins_over_reload(hanging: DaemonProcess, notify_socket: NotifySocket) -> None:
    hanging.send(signal.SIGHUP)
    notify_socket.receive_until("RELOADING=1")  # which lasts until the worker comes back: never

    assert hanging.stop() == 0
    assert notify_socket.receive_until("STOPPING=1")
    assert "refused" not in hanging.log_text()


def test_stop_wins_over_start(make_daemon: MakeDaemon, notify_socket: NotifySocket) -> None:
    daemon = make_daemon(environ={"NOTIFY_SOCKET": notify_socket.address}).start()
    assert daemon.stop() == 0
    notify_socket.receive_until("STOPPING=1")
    other = sqlite3.connect(daemon.state / "ledger.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    daemon.launch()
    notify_socket.receive_until("STATUS=opening the ledger")  # which waits for the other program

    assert daemon.stop() == 0
    assert notify_socket.receive_until("STOPPING=1")
    other.close()


def test_two_signals_at_once_stop_daemon(make_daemon: MakeDaemon) -> None:
    for pair in [(signal.SIGINT, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)] * 2:
        daemon = make_daemon().start()
        for number in pair:
            daemon.send(number)
        assert daemon.wait() == 0
