"""waitress with limits on slow, huge and endless requests, and with error responses as API.md describes them.

waitress reads requests without giving each a thread, so that slow ones cost little; but it waits for them for as long
as a byte comes now and then, and accepts no connection when there are many. Here each request has a deadline, and new
connections replace those that have waited longest without a complete request.
"""

import logging
import math
import socket
import time
from typing import Any, ClassVar

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from dogid.web.server import limits
from dogid.web.server.channel import Channel

_OTHER_SOCKETS = 2  # that waitress counts with the connections: the one that listens, and the trigger of its loop


def serve_on(listener: socket.socket, application: Any, *, largest_body: int) -> "Server":
    """Return a server for a WSGI application on a socket that listens; `run` it in a thread of its own."""
    logging.getLogger("waitress").setLevel(logging.WARNING)  # clients could fill the log with what it logs of each
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    adjustments = _Adjustments(
        sockets=[listener],
        threads=limits.THREADS,
        ident="dogid",
        asyncore_use_poll=True,
        channel_request_lookahead=1,  # so that a listener of events that has gone is noticed
        connection_limit=limits.connection_limits().most + _OTHER_SOCKETS,
        inbuf_overflow=limits.LARGE_BODY,
        max_request_body_size=largest_body,
        max_request_header_size=limits.MAX_HEADER_BYTES,
        outbuf_overflow=limits.MAX_UNSENT_BYTES_IN_MEMORY,
        outbuf_high_watermark=limits.MAX_UNSENT_BYTES,
        log_socket_errors=False,
        expose_tracebacks=False,
    )
    address = (listener.family, listener.type, listener.proto, listener.getsockname())
    return Server(application, _sock=listener, adj=adjustments, bind_socket=False, sockinfo=address)


class _Adjustments(Adjustments):  # type: ignore[misc]  # waitress ships no types
    """Settings of a server whose socket is given."""

    listen: ClassVar[list[str]] = []
    """The default is an address that waitress resolves in vain, with Python's tables of international names: 0.2 MB."""


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """The socket that listens, and its connections."""

    channel_class = Channel
    active_channels: dict[int, Channel]
    _next_cleanup = 0.0

    def __init__(self, *args: Any, **named: Any) -> None:
        """Take what waitress takes."""
        self._eviction_start = limits.connection_limits().eviction_start
        super().__init__(*args, **named)

    def has_room_for_body(self) -> bool:
        """Return whether one more large body may come; where there are too many, the slowest is cut."""
        channels = list(self.active_channels.values())
        uploads = [(request.bytes_per_second(), channel) for channel in channels for request in channel.large_bodies()]
        if len(uploads) <= limits.MAX_LARGE_BODIES:
            return True
        pace, slowest = min(uploads, key=lambda upload: upload[0])
        if math.isinf(pace):
            return False
        slowest.cut()
        return True

    def readable(self) -> bool:
        """Return whether connections are accepted. The loop asks at least once a second: the time for a cleanup."""
        now = time.monotonic()
        if now >= self._next_cleanup:
            self._next_cleanup = now + limits.CLEANUP_SECONDS
            self._close_late()
        return bool(super().readable())

    def maintenance(self, now: float) -> None:
        """Do nothing: waitress calls this by the wall clock, which may jump; `readable` does it by the steady one."""

    def handle_accept(self) -> None:
        """Accept a connection; where there are many, close the one that has waited longest without a request."""
        if len(self.active_channels) >= self._eviction_start:
            channels = self.active_channels.values()
            idle = [channel for channel in channels if not (channel.requests or channel.will_close)]
            if idle:
                min(idle, key=lambda channel: channel.waiting_since).cut()
        super().handle_accept()

    def _close_late(self) -> None:
        for channel in list(self.active_channels.values()):
            if channel.is_late():
                channel.cut()
