"""One connection, with limits on the bytes, threads and time that it may take."""

import contextlib
import socket
import time
from typing import Any, Protocol

from waitress.channel import HTTPChannel

from dogid.web.server.limits import BODY_SECONDS, HEADER_SECONDS, IDLE_SECONDS, LINGER_BYTES, LINGER_SECONDS
from dogid.web.server.refused_task import RefusedTask
from dogid.web.server.request_parser import RequestParser


class ChannelServer(Protocol):
    """What a connection needs of the server that it belongs to."""

    def has_room_for_body(self) -> bool:
        """Return whether one more large body may be on its way."""

    def add_task(self, task: Any) -> None:
        """Have a thread answer the requests of a connection."""

    def pull_trigger(self) -> None:
        """Wake the loop that reads and writes all connections."""


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection, with deadlines for whatever it waits for, on the steady clock."""

    error_task_class = RefusedTask
    server: ChannelServer
    request: RequestParser | None
    requests: list[RequestParser]
    is_refused = False
    """Whether its last answer is a refusal; set by RefusedTask."""
    _linger_started: float | None = None
    """When the refusal had been sent; from then on all that comes is thrown away."""
    _lingered_bytes = 0
    _is_paused = False
    """Whether a request waits until the client has read the answers before it."""
    _last_activity: float

    def parser_class(self, adjustments: Any) -> RequestParser:
        """Return the parser of a new request."""
        return RequestParser(adjustments, self.server.has_room_for_body)

    @property
    def last_activity(self) -> float:
        """When bytes were last read or sent. waitress sets it by the wall clock, which may jump: a Pi has no other."""
        return self._last_activity

    @last_activity.setter
    def last_activity(self, wall_clock: float) -> None:  # noqa: ARG002
        self._last_activity = time.monotonic()

    @property
    def waiting_since(self) -> float:
        """When the unfinished request began, or the last one ended."""
        return self._last_activity if self.request is None else self.request.started

    def is_late(self) -> bool:
        """Return whether the client has taken longer than it may to send a request or to read an answer."""
        now = time.monotonic()
        if self._linger_started is not None:
            return now - self._linger_started > LINGER_SECONDS
        if self.request is not None:
            limit = BODY_SECONDS if self.request.headers_finished else HEADER_SECONDS
            if now - self.request.started > limit:
                return True
        is_our_turn = self.requests and not self.total_outbufs_len
        return not is_our_turn and now - self._last_activity > IDLE_SECONDS

    def large_bodies(self) -> list[RequestParser]:
        """Return the requests with large bodies that are on their way, or wait for an answer before theirs."""
        if self.will_close:
            return []
        waiting = (*self.requests[1:], self.request)
        return [request for request in waiting if request is not None and request.is_large]

    def cut(self) -> None:
        """Close the connection when its turn comes, whatever the client does.

        Not at once: a new connection could get its file descriptor, and with it the events that wait to be handled.
        """
        self.will_close = True  # then it waits to be written to, and a socket that is shut down is ready at once
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def received(self, data: bytes) -> bool:
        """Read bytes from the client."""
        if self._linger_started is None:
            return bool(super().received(data))
        self._lingered_bytes += len(data)
        if self._lingered_bytes > LINGER_BYTES:
            self.cut()
        return False

    def handle_close(self) -> None:
        """Close the connection; after a refusal only our half of it, until the client closes its own or is late.

        A client that still sends its body would otherwise lose the answer: the kernel answers what comes to a closed
        connection with a reset.
        """
        if not self.is_refused or self._linger_started is not None:
            super().handle_close()
            return
        self._linger_started = time.monotonic()
        self.will_close = False
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def service(self) -> None:
        """Answer the first request, in a thread; wait without a thread while earlier answers are not read."""
        if self.connected and self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self._is_paused = True
            self.server.pull_trigger()
        else:
            super().service()

    def writable(self) -> bool:
        """Return whether there is something to do as soon as the client reads."""
        return bool(self._is_paused or super().writable())

    def handle_write(self) -> None:
        """Send what the client reads; go on with its next request when it has read enough."""
        super().handle_write()
        if self._is_paused and self.total_outbufs_len <= self.adj.outbuf_high_watermark:
            self._is_paused = False
            self.server.add_task(self)

    def write_soon(self, data: Any) -> int:
        """Send bytes, from a thread; an answer without an end waits here for a slow reader."""
        super()._flush_outbufs_below_high_watermark()
        return int(super().write_soon(data))

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Do not wait. waitress waits here between two requests, too: with two requests each whose answers are not
        read, six clients would hold all threads. `write_soon` waits, and `service` without a thread.
        """
