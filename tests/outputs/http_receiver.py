"""An HTTP server on this machine that keeps what it gets, and answers as a test wants."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What was received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """A server, and all requests that it has accepted or refused so far."""

    answer: Callable[["Handler"], None]
    """Writes the answer to one request; `reply` makes the usual ones."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    """Set at the end, for answers that would never end."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def setup(self) -> None:
        super().setup()
        self.receiver.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.receiver.requests.append(Request(self.path, dict(self.headers.items()), body))
        self.receiver.answer(self)

    def log_request(self, *_: Any) -> None:
        pass


def reply(status: int = 204, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    """Return what answers each request with a status, body and headers; `_` in their names stands for `-`."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def reply_in_turn(*answers: Callable[[Handler], None]) -> Callable[[Handler], None]:
    """Return what answers the first request by the first, and all after the last by the last."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


@contextlib.contextmanager
def receiving(
    answer: Callable[[Handler], None] | None = None, *, certificate: Path | None = None, port: int = 0
) -> Iterator[Receiver]:
    """A receiver on a free port, or the given one; certificate: a PEM file with its key, for https."""
    receiver = Receiver(answer or reply())
    server = ThreadingHTTPServer(("127.0.0.1", port), type("_Handler", (Handler,), {"receiver": receiver}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.url = f"http{'' if certificate is None else 's'}://localhost:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.done.set()
        server.shutdown()
        thread.join()
        server.server_close()
