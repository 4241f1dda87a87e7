"""Serving the application by waitress, on a socket opened here, so that a port in use is reported at once."""

import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dogid.errors import UsageError
from dogid.web.server.host import resolve_host
from dogid.web.server.limits import THREADS

if TYPE_CHECKING:
    from dogid.web.server.waitress_server import Server

_BACKLOG = 128  # connections that wait in the kernel to be accepted; with fewer, a burst of clients sees refusals
_STOP_SECONDS = 0.5  # for answers that are being made; raising it delays the stop while a client reads slowly


class WebServer:
    """HTTP on one address, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        """Listen, but serve nothing yet; port 0 takes any. Raise UsageError where the address cannot be had."""
        self._socket = _listen(host, port)
        self._server: Server | None = None
        self._threads = THREADS
        self._is_stopping = False
        self._threads_lock = threading.Lock()
        self._host = host
        self.address: str = self._socket.getsockname()[0].partition("%")[0]
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """The address as a URL that can be opened: with this machine's name where it serves on all addresses."""
        is_every = ipaddress.ip_address(self.address).is_unspecified
        host = socket.gethostname() if is_every else f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.address).is_loopback

    def start(self, application: Any, largest_body: int) -> None:
        """Start to serve a WSGI application; request bodies of more bytes than largest_body are refused.

        Raise DogidError where the installed waitress is none that this package knows.
        """
        from dogid.web.server.waitress_names import checked_waitress

        with checked_waitress():
            from dogid.web.server.waitress_server import serve_on

            server = self._server = serve_on(self._socket, application, largest_body=largest_body)
        threading.Thread(target=server.run, name="web", daemon=True).start()

    @contextlib.contextmanager
    def extra_thread(self) -> Iterator[None]:
        """Add a thread while the context lasts, for an endless response, which keeps its thread."""
        self._change_threads(+1)
        try:
            yield
        finally:
            self._change_threads(-1)

    def stop(self) -> None:
        """Stop serving; requests that are being answered are given a moment."""
        if self._server is not None:
            with self._threads_lock:
                self._is_stopping = True
            # first the threads, which may still have something to send
            self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=_STOP_SECONDS)
            self._server.close()
        self._socket.close()

    def _change_threads(self, by: int) -> None:
        """Change the number of threads. Raise RuntimeError where no thread can be started: then it stays."""
        assert self._server is not None, "only requests ask for threads"
        dispatcher = self._server.task_dispatcher
        with self._threads_lock:
            if self._is_stopping:
                return  # all are to end; any other number would start new ones
            known = set(dispatcher.threads)
            try:
                dispatcher.set_thread_count(self._threads + by)
            except RuntimeError:
                dispatcher.threads &= known  # waitress counts a thread before it has started
                raise
            self._threads += by


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, address = resolve_host(host, port)
    try:
        listener = socket.socket(family, kind, protocol)
    except OSError as error:  # of a family that this machine does not have
        raise UsageError(f"cannot serve on {host} port {port}: {error}; give another address by --host") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} on {host} is in use; give another with --port (make run PORT=8001), or --port 0 for any"
            ) from error
        raise UsageError(f"cannot serve on {host} port {port}: {error}") from error
    listener.settimeout(0)  # waitress waits by poll
    return listener
