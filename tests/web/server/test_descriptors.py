"""A daemon that may have few file descriptors keeps some for photos, whatever connections do."""

import contextlib
import os
import socket
import urllib.parse
from pathlib import Path

import pytest

from dogid.web.server.limits import THREADS, ConnectionLimits, connection_limits
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("descriptors", "limits"),
    [
        (64, ConnectionLimits(8, 6, 2)),
        (512, ConnectionLimits(336, 312, 37)),
        (1024, ConnectionLimits(700, 650, 64)),
        (524_288, ConnectionLimits(700, 650, 64)),
    ],
)
def test_connections_are_limited_by_descriptors(descriptors: int, limits: ConnectionLimits) -> None:
    assert connection_limits(descriptors) == limits


def ledger_descriptors(daemon: DaemonProcess) -> int:
    folder = f"/proc/{daemon.pid}/fd"
    names = []
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"{folder}/{number}"))
    return sum("ledger.db" in name for name in names)


@pytest.mark.parametrize("limit", [64, 150])
def test_idle_connections_leave_descriptors_for_photos(make_daemon: MakeDaemon, inbox: Path, limit: int) -> None:
    daemon = make_daemon(before=["prlimit", f"--nofile={limit}:{limit}"]).start()
    address = urllib.parse.urlsplit(daemon.url)
    idle = [socket.create_connection((address.hostname or "", address.port or 0)) for _ in range(2 * limit)]
    put(inbox / "a.jpg", photo(1))

    daemon.wait_for_classified("a.jpg", photo(1))
    assert "Too many open files" not in daemon.log_text()
    for one in idle:
        one.close()


def listen_and_leave(daemon: DaemonProcess) -> None:
    """Have ten listeners come at once, and go."""
    address = urllib.parse.urlsplit(daemon.url)
    listeners = [socket.create_connection((address.hostname or "", address.port or 0)) for _ in range(10)]
    for one in listeners:
        one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(100)
    for one in listeners:
        one.close()


def test_listeners_that_have_left_keep_no_descriptors(daemon: DaemonProcess) -> None:
    # SQLite keeps the descriptors of closed connections for the next ones, as many as there were at the same time:
    # https://sqlite.org/src/file/src/os_unix.c, "posix advisory locks"
    most = connection_limits(1024).listeners + THREADS + 20  # and some of the log, and those of the daemon itself
    for _ in range(15):
        listen_and_leave(daemon)

    eventually(lambda: ledger_descriptors(daemon) <= most, "those that are left are for the next listeners")
