"""waitress with limits that a slow, huge or endless request runs into, and with errors in our form.

waitress reads requests without giving each a thread, so that slow ones cost little; but it waits for them for as long
as a byte comes now and then, and takes no more connections when there are many. Here each request has a deadline, and
newcomers push out whoever has waited longest without a complete request.
"""

import logging
import math
import socket
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from dogid.web.server.channel import Channel
from dogid.web.server.limits import LARGE_BODY

_MOST_CONNECTIONS = 700
_CROWDED = 650  # from here on, the slowest make room
_IDLE_SECONDS = 60
_LOOK_SECONDS = 2
_LARGEST_HEADER = 16_384  # bytes
_MOST_LARGE_BODIES = 4
_UNSENT = 262_144  # bytes that wait for a slow reader before its answer stands still
_MOST_UNSENT = 16 << 20  # bytes that wait for all readers


def serve_on(listener: socket.socket, application: Any, *, threads: int, largest_body: int) -> TcpWSGIServer:
    """Return a server for a WSGI application on a socket that listens; `run` it in a thread of its own."""
    logging.getLogger("waitress").setLevel(logging.WARNING)  # whoever asks could fill the log with what it tells
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    adjustments = Adjustments(
        sockets=[listener],
        threads=threads,
        ident="dogid",
        asyncore_use_poll=True,
        channel_request_lookahead=1,  # so that a listener who has gone is noticed
        channel_timeout=_IDLE_SECONDS,
        cleanup_interval=_LOOK_SECONDS,
        connection_limit=_MOST_CONNECTIONS,
        inbuf_overflow=LARGE_BODY,
        max_request_body_size=largest_body,
        max_request_header_size=_LARGEST_HEADER,
        outbuf_high_watermark=_UNSENT,
        log_socket_errors=False,
        expose_tracebacks=False,
    )
    place = (listener.family, listener.type, listener.proto, listener.getsockname())
    return Server(application, _sock=listener, adj=adjustments, bind_socket=False, sockinfo=place)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """The socket that listens, and its connections."""

    channel_class = Channel
    active_channels: dict[int, Channel]

    def has_room_for_body(self) -> bool:
        """Whether one more large body may come; where there are too many, one that hardly moves makes room."""
        channels = list(self.active_channels.values())
        if sum(channel.large_bodies() for channel in channels) <= _MOST_LARGE_BODIES:
            return True
        now = time.time()
        holding = [channel for channel in channels if channel.large_bodies()]
        slowest = min(holding, key=lambda channel: channel.body_pace(now))
        if math.isinf(slowest.body_pace(now)):
            return False
        slowest.cut()
        return True

    def drop_slow_readers(self) -> None:
        """Close the connections that have read nothing for longest, until little waits to be read."""
        channels = self.active_channels.values()
        slow = [channel for channel in channels if channel.total_outbufs_len and not channel.will_close]
        slow.sort(key=lambda channel: channel.last_activity, reverse=True)
        while sum(channel.total_outbufs_len for channel in slow) > _MOST_UNSENT:
            slow.pop().cut()

    def maintenance(self, now: float) -> None:
        """Close connections that have nothing more to do, or are too slow at it."""
        super().maintenance(now)
        cutoff = now - self.adj.channel_timeout
        for channel in list(self.active_channels.values()):
            stands_still = channel.total_outbufs_len and channel.last_activity < cutoff
            if stands_still or channel.is_late(now):
                channel.cut()

    def handle_accept(self) -> None:
        """Let a newcomer in; where it is crowded, the one who has waited longest without a request goes."""
        if len(self.active_channels) >= _CROWDED:
            channels = self.active_channels.values()
            idle = [channel for channel in channels if not (channel.requests or channel.will_close)]
            if idle:
                min(idle, key=lambda channel: channel.began or channel.last_activity).cut()
        super().handle_accept()
