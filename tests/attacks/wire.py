"""Requests byte by byte, as no well-behaved client sends them."""

import contextlib
import http.client
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tests.support.daemon import DaemonProcess
from tests.support.http_client import Reply, fetch

TIMEOUT = 60.0
_SILENCE = 1.0


def address(daemon: DaemonProcess) -> tuple[str, int]:
    """Where the daemon listens."""
    parts = urlsplit(daemon.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def host(daemon: DaemonProcess) -> str:
    """The right Host header."""
    return urlsplit(daemon.url).netloc


def connect(daemon: DaemonProcess, *, small_window: bool = False) -> socket.socket:
    """Return a connection; with a small window the kernel takes little for a client that does not read."""
    connection = socket.socket()
    if small_window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(TIMEOUT)
    connection.connect(address(daemon))
    return connection


def request_head(daemon: DaemonProcess, target: str = "/results", method: str = "GET", **headers: str) -> bytes:
    """The head of a well-formed request; a keyword `content_type` is the header Content-Type."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host(daemon)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def exchange(daemon: DaemonProcess, raw: bytes) -> Reply | None:
    """Send bytes; return the first answer, or None where the daemon only closes the connection."""
    with connect(daemon) as connection:
        with contextlib.suppress(OSError):  # it may answer and close before all is sent
            connection.sendall(raw)
        return read_reply(connection)


def read_reply(connection: socket.socket) -> Reply | None:
    """Read one answer; None where there is none."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ConnectionError):
        return None
    return Reply(response.status, response.headers, body)


def exchange_raw(daemon: DaemonProcess, raw: bytes) -> bytes:
    """Send bytes; return all that comes until the daemon closes, or has said nothing for a while."""
    with connect(daemon) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(raw)
        connection.settimeout(_SILENCE)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the other side closes, or says nothing for as long as the connection's time-out."""
    received = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while data := connection.recv(65536):
            received += data
    return received


def request(
    daemon: DaemonProcess,
    target: str = "/results",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Reply:
    """Send a well-formed request of any client; return the answer, whatever its status."""
    return fetch(daemon.url, target, method=method, body=body, headers=headers)


def multipart_form(name: bytes, data: bytes, boundary: bytes = b"wall") -> tuple[dict[str, str], bytes]:
    """A form with one file; the name stands in it as it is."""
    body = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n' % (boundary, name)
    body += b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n--" + boundary + b"--\r\n"
    return {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}, body


@contextlib.contextmanager
def hold_connections(daemon: DaemonProcess, count: int, *, small_window: bool = False) -> Iterator[list[socket.socket]]:
    """Hold count connections while the context lasts."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(daemon, small_window=small_window)) for _ in range(count)]
