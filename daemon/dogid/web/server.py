"""Serving the Flask application by waitress, on a socket of our own so that a taken port is known at once."""

import errno
import socket
import threading
from typing import Any

from waitress.server import create_server

from dogid.errors import UsageError

_THREADS = 8
_BACKLOG = 128
_MOST_BODY = 100_000_000  # bytes; no request of today carries one


class WebServer:
    """HTTP on one address, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._host = host
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """Where the server answers."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/"

    def start(self, application: Any) -> None:
        """Begin to serve a WSGI application."""
        self._server = create_server(
            application, sockets=[self._socket], threads=_THREADS, ident="dogid", max_request_body_size=_MOST_BODY
        )
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; requests that are being answered are given a moment."""
        if self._server is not None:
            self._server.close()
            self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=0.5)
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"--host {host}: not an address of this machine: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} on {host} is in use; give another with --port, or --port 0 for any"
            ) from error
        raise UsageError(f"cannot serve on {host} port {port}: {error}") from error
    listener.settimeout(0)  # waitress waits by select
    return listener
