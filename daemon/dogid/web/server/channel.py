"""One connection: what it may take of the machine, in bytes, threads and time."""

import contextlib
import json
import math
import socket
import time
from typing import Any, Protocol

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge

from dogid.web.errors import error_document
from dogid.web.server.limits import BODY_ALLOWANCE
from dogid.web.server.request_parser import Request

_HEADER_SECONDS = 10.0
_BODY_SECONDS = 120.0  # a photo over a slow radio
_GRACE_SECONDS = 10.0  # then a body that hardly moves makes room for another
_DRAIN_SECONDS = 10.0
_DRAIN_BYTES = 64 << 20
_TOO_LARGE = RequestEntityTooLarge.code


class ChannelServer(Protocol):
    """What a connection asks of the server that it belongs to."""

    trigger: Any

    def has_room_for_body(self) -> bool:
        """Whether one more large body may be on its way."""

    def drop_slow_readers(self) -> None:
        """Cut connections whose unread answers take too much memory together."""

    def add_task(self, task: Any) -> None:
        """Have a thread answer the requests of a connection."""

    def pull_trigger(self) -> None:
        """Wake the loop that reads and writes all connections."""


class _RefusedTask(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """A request that is refused before it reaches the application."""

    def execute(self) -> None:
        error: Error = self.request.error
        self.request.headers.pop("CONNECTION", None)  # whatever it asked for, the connection ends
        code, message = error.reason.lower().replace(" ", "_"), error.body
        if error.code == _TOO_LARGE:
            most = self.channel.adj.max_request_body_size - BODY_ALLOWANCE
            code, message = "too_large", f"at most {most} bytes may be sent (max_upload)"
        body = json.dumps(error_document(code, message)).encode() + b"\n"
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


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection, with a deadline for the request that it is sending."""

    error_task_class = _RefusedTask
    parser_class = Request
    server: ChannelServer
    request: Request | None
    requests: list[Request]
    close_when_flushed: bool
    began: float | None = None
    """When the unfinished request began, on the wall clock as all of waitress' times."""
    is_refused = False
    _drained: int | None = None
    """Bytes thrown away since the refusal was sent; None where nothing is being thrown away."""
    _writing = False
    _paused = False
    """Whether a request waits until the client has read the answers before it."""

    def received(self, data: bytes) -> bool:
        """Take bytes from the client."""
        if self._drained is not None:
            self._drained += len(data)
            if self._drained > _DRAIN_BYTES:
                self.cut()
            return False
        before = self.request
        taken: bool = super().received(data)
        request = self.request
        if request is None:
            self.began = None
        elif request is not before:
            self.began = time.time()
        if request is not None and request.is_large and not request.admitted:
            request.admitted = True
            if not self.server.has_room_for_body():
                self._refuse(request, _BusyError("too many large uploads at once; try again"))
        return taken

    def service(self) -> None:
        """Answer the first request, in a thread; wait without a thread while earlier answers are not read."""
        if self.connected and self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self._paused = True
            self.server.pull_trigger()
            return
        super().service()
        if self.total_outbufs_len:  # closing is for the main thread
            self.server.trigger.pull_trigger(self.server.drop_slow_readers)

    def writable(self) -> bool:
        """Whether there is something to do as soon as the client takes bytes."""
        return bool(self._paused or super().writable())

    def handle_write(self) -> None:
        """Send what the client takes; go on with its next request when it has read enough."""
        if self.is_refused and self.close_when_flushed:
            self._end_refusal()
            return
        super().handle_write()
        if self._paused and self.total_outbufs_len <= self.adj.outbuf_high_watermark:
            self._paused = False
            self.server.add_task(self)

    def _end_refusal(self) -> None:
        """Send the rest of a refusal, and close only our half of the connection.

        A client that still sends its body would otherwise lose the answer: the kernel answers what comes to a closed
        connection with a reset. What comes now is thrown away, for a while.
        """
        self._flush_exception(self._flush_some)
        if self.total_outbufs_len or self.will_close:
            return
        self.close_when_flushed = False
        self._drained, self.began = 0, time.time()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def write_soon(self, data: Any) -> int:
        """Send bytes, from a thread; an answer without an end waits here for a slow reader."""
        self._writing = True
        try:
            written: int = super().write_soon(data)
        finally:
            self._writing = False
        return written

    def cut(self) -> None:
        """Close the connection when its turn comes, whatever the client does.

        Not at once: a newcomer could get its file descriptor, and with it the events that wait to be handled.
        """
        self.will_close = True  # then it waits to be written to, and a socket that is shut down is ready at once
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def large_bodies(self) -> int:
        """How many large bodies are on their way or wait for their turn."""
        if self.will_close:
            return 0
        waiting = [request for request in (*self.requests[1:], self.request) if request is not None]
        return sum(request.is_large for request in waiting)

    def body_pace(self, now: float) -> float:
        """Bytes per second in which its large body comes: 0 for one that waits, infinity for one just begun."""
        if self.began is None or self.request is None:
            return 0
        seconds = now - self.began
        return math.inf if seconds < _GRACE_SECONDS else self.request.body_bytes_received / seconds

    def is_late(self, now: float) -> bool:
        """Whether the unfinished request has taken longer than it may."""
        if self._drained is not None:
            return now - (self.began or now) > _DRAIN_SECONDS
        if self.began is None or self.request is None:
            return False
        patience = _BODY_SECONDS if self.request.headers_finished else _HEADER_SECONDS
        return now - self.began > patience

    def _refuse(self, request: Request, error: Error) -> None:
        with self.requests_lock:
            self.request, self.began = None, None
            request.refuse(error)
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)

    def _flush_outbufs_below_high_watermark(self) -> None:
        # waitress also calls this between two requests, and six clients who send two and read none would have all
        # threads wait; `service` waits for them without a thread
        if self._writing:
            super()._flush_outbufs_below_high_watermark()
