"""waitress with limits that a slow, huge or endless request runs into, and with errors in our form.

waitress reads requests without giving each a thread, so that slow ones cost little; but it waits for them for as long
as a byte comes now and then, and takes no more connections when there are many. Here each request has a deadline, and
newcomers push out whoever has waited longest without a complete request.
"""

import contextlib
import json
import socket
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge

from dogid.web.errors import error_document

_MOST_CONNECTIONS = 700
_CROWDED = 650  # from here on, the slowest make room
_HEADER_SECONDS = 10.0
_BODY_SECONDS = 120.0  # a photo over a slow radio
_IDLE_SECONDS = 60
_LOOK_SECONDS = 2
_LARGEST_HEADER = 16_384  # bytes
_LARGE_BODY = 65_536  # bytes; larger ones wait on disk, and only a few at a time may be on their way
_MOST_LARGE_BODIES = 4
_TOO_LARGE = RequestEntityTooLarge.code
_DRAIN_SECONDS = 10.0
_DRAIN_BYTES = 64 << 20
_UNSENT = 262_144  # bytes that wait for a slow reader before its answer stands still


def serve_on(listener: socket.socket, application: Any, *, threads: int, largest_body: int) -> TcpWSGIServer:
    """Return a server for a WSGI application on a socket that listens; `run` it in a thread of its own."""
    adjustments = Adjustments(
        sockets=[listener],
        threads=threads,
        ident="dogid",
        asyncore_use_poll=True,
        channel_request_lookahead=1,  # so that a listener who has gone is noticed
        channel_timeout=_IDLE_SECONDS,
        cleanup_interval=_LOOK_SECONDS,
        connection_limit=_MOST_CONNECTIONS,
        inbuf_overflow=_LARGE_BODY,
        max_request_body_size=largest_body,
        max_request_header_size=_LARGEST_HEADER,
        outbuf_high_watermark=_UNSENT,
        log_socket_errors=False,
        expose_tracebacks=False,
    )
    place = (listener.family, listener.type, listener.proto, listener.getsockname())
    return _Server(application, _sock=listener, adj=adjustments, bind_socket=False, sockinfo=place)


class _RefusedTask(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """A request that is refused before it reaches the application."""

    def execute(self) -> None:
        error: Error = self.request.error
        code = "too_large" if error.code == _TOO_LARGE else error.reason.lower().replace(" ", "_")
        body = json.dumps(error_document(code, error.body)).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
        if error.code == _BusyError.code:
            self.response_headers.append(("Retry-After", "5"))
        self.close_on_finish = True
        self.channel.is_refused = True
        self.content_length = len(body)
        self.write(body)


class _BusyError(Error):  # type: ignore[misc]
    code = 503
    reason = "Service Unavailable"


class _Channel(HTTPChannel):  # type: ignore[misc]
    """One connection, with a deadline for the request that it is sending."""

    error_task_class = _RefusedTask
    request: Any
    close_when_flushed: bool
    began: float | None = None
    """When the unfinished request began, on the wall clock as all of waitress' times."""
    is_refused = False
    drained: int | None = None
    """Bytes thrown away since the refusal was sent; None where nothing is being thrown away."""

    def received(self, data: bytes) -> bool:
        """Take bytes from the client."""
        if self.drained is not None:
            self.drained += len(data)
            self.will_close = self.drained > _DRAIN_BYTES
            return False
        if self.request is None:
            self.began = time.time()
        taken: bool = super().received(data)
        if self.request is None:
            self.began = None
        elif self.is_large and self.server.large_bodies > _MOST_LARGE_BODIES:
            self._refuse(_BusyError("too many large uploads at once; try again"))
        return taken

    def handle_write(self) -> None:
        """Send what waits to be sent.

        A client that is refused while it sends its body would lose the answer if the connection were closed at once
        (the kernel answers what comes then with a reset): only our half is closed, and the rest thrown away.
        """
        if not (self.is_refused and self.close_when_flushed):
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.total_outbufs_len or self.will_close:
            return
        self.close_when_flushed = False
        self.drained, self.began = 0, time.time()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    @property
    def is_large(self) -> bool:
        """Whether a large body is on its way."""
        request = self.request
        if request is None or not request.headers_finished or self.requests:
            return False
        return bool(request.chunked or request.content_length > _LARGE_BODY)

    def is_late(self, now: float) -> bool:
        """Whether the unfinished request has taken longer than it may."""
        if self.drained is not None:
            return now - (self.began or now) > _DRAIN_SECONDS
        if self.began is None or self.request is None:
            return False
        patience = _BODY_SECONDS if self.request.headers_finished else _HEADER_SECONDS
        return now - self.began > patience

    def _refuse(self, error: Error) -> None:
        with self.requests_lock:
            request, self.request, self.began = self.request, None, None
            request.error = error
            request.completed = True
            self.requests.append(request)
        self.server.add_task(self)


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """The socket that listens, and its connections."""

    channel_class = _Channel

    @property
    def large_bodies(self) -> int:
        """How many large bodies are on their way."""
        return sum(channel.is_large for channel in self.active_channels.values())

    def maintenance(self, now: float) -> None:
        """Close connections that have nothing more to do, or are too slow at it."""
        super().maintenance(now)
        cutoff = now - self.adj.channel_timeout
        for channel in list(self.active_channels.values()):
            stands_still = channel.total_outbufs_len and channel.last_activity < cutoff
            if stands_still or channel.is_late(now):
                channel.will_close = True

    def handle_accept(self) -> None:
        """Let a newcomer in; where it is crowded, the one who has waited longest without a request goes."""
        if len(self.active_channels) >= _CROWDED:
            idle = [channel for channel in self.active_channels.values() if not channel.requests]
            if idle:
                min(idle, key=lambda channel: channel.began or channel.last_activity).handle_close()
        super().handle_accept()
