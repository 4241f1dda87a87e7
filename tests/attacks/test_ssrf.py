"""Requests that would have the daemon fetch something for the attacker."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.attacks.wire import exchange, multipart_form, request, request_head
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo


@pytest.fixture
def canary() -> Iterator[socket.socket]:
    """A socket that waits for the daemon to come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/x.jpg", "HTTP://127.0.0.1:{port}/x.jpg", "//127.0.0.1:{port}/x.jpg",
        "http:%2f%2f127.0.0.1:{port}%2fx.jpg", "http:%252f%252f127.0.0.1:{port}/x.jpg", "ftp://127.0.0.1:{port}/x.jpg",
        "gopher://127.0.0.1:{port}/_GET", "http://localhost:{port}/x.jpg", "http://2130706433:{port}/x.jpg",
        "http://[::ffff:127.0.0.1]:{port}/x.jpg", "url:http://127.0.0.1:{port}/", "\\\\127.0.0.1@{port}\\x.jpg",
        "jar:http://127.0.0.1:{port}/!/x", "/dev/tcp/127.0.0.1/{port}", "data:image/png;base64,AAAA",
        "|curl%20127.0.0.1:{port}",
    ],
)  # fmt: skip
def test_url_as_file_is_never_fetched(open_daemon: DaemonProcess, canary: socket.socket, url: str) -> None:
    target = url.format(port=canary.getsockname()[1])

    reply = exchange(open_daemon, request_head(open_daemon, f"/?file={target}"))

    assert reply is not None
    assert reply.status in (403, 404)


def test_proxy_request_is_not_forwarded(open_daemon: DaemonProcess, canary: socket.socket) -> None:
    port = canary.getsockname()[1]
    asked = [
        f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Forwarded-Host: 127.0.0.1:{port}\r\n\r\n",
    ]
    for text in asked:
        exchange(open_daemon, text.encode())


def test_url_inside_image_is_not_fetched(open_daemon: DaemonProcess, canary: socket.socket) -> None:
    port = canary.getsockname()[1]
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:{port}/"/></svg>'.encode()
    postscript = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(http://127.0.0.1:{port}/) run\n".encode()
    for data in (svg, postscript):
        reply = request(open_daemon, "/classify", "POST", {"Content-Type": "image/svg+xml"}, data)
        assert (reply.status, reply.code) == (422, "unsupported")


def test_url_as_upload_name_is_not_fetched(open_daemon: DaemonProcess, canary: socket.socket) -> None:
    with contextlib.suppress(OSError):
        url = b"http://127.0.0.1:%d/x.jpg" % canary.getsockname()[1]
        headers, body = multipart_form(url, photo(1))
        assert request(open_daemon, "/classify", "POST", headers, body).status == 200
