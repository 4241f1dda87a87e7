"""Deadlines of connections run on the steady clock: the wall clock may jump, as on a Pi that just got the time."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from dogid.web.server import channel, limits
from dogid.web.server.listener import WebServer
from tests.support.waiting import TIMEOUT

HOUR = 3600.0
BODY = b"x" * 1000
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server that gives a second for the head of a request, and as much as ever for its body."""
    monkeypatch.setattr(channel, "HEADER_SECONDS", 1.0)
    monkeypatch.setattr(limits, "CLEANUP_SECONDS", 0.1)
    server = WebServer("127.0.0.1", 0)
    server.start(_echo, 10_000)
    yield server
    server.stop()


def _echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body: bytes = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the wall clock of this process by so many seconds."""
    now = time.time
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: now() + seconds)


def _connect(server: WebServer, sent: bytes) -> socket.socket:
    connection = socket.create_connection((server.address, server.port), TIMEOUT)
    connection.sendall(sent)
    return connection


def _read(connection: socket.socket, count: int) -> bytes:
    """Read so many bytes, or all that come until the server closes the connection."""
    received = b""
    while len(received) < count and (data := connection.recv(count - len(received))):
        received += data
    return received


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_upload_survives_a_jump_of_the_wall_clock(
    server: WebServer, jump: Callable[[float], None], seconds: float
) -> None:
    with _connect(server, HEAD) as upload:
        assert _read(upload, len(CONTINUE)) == CONTINUE
        upload.sendall(BODY[:500])
        jump(seconds)
        with _connect(server, b"GET / HT") as late:
            assert _read(late, 1) == b"", "since the jump the server has closed what is late"
        upload.sendall(BODY[500:])
        assert _read(upload, 15) == b"HTTP/1.1 200 OK"


def test_idle_connection_survives_a_jump_of_the_wall_clock(server: WebServer, jump: Callable[[float], None]) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with _connect(server, asked) as idle:
        answer = _read(idle, 15)
        while not answer.endswith(b"\r\n\r\n"):
            answer += _read(idle, 1)
        jump(HOUR)
        with _connect(server, b"GET / HT") as late:
            assert _read(late, 1) == b"", "since the jump the server has closed what is late"
        idle.sendall(asked)
        assert _read(idle, 15) == b"HTTP/1.1 200 OK"
