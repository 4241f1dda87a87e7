"""`/events`: results, and people's words on them, as server-sent events, as soon as they are in the ledger.

Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html. An event's id is its result's
sequence number, so that a client that reconnects misses nothing.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus

from flask import Response, request

from dogid.ledger import queries
from dogid.ledger.reviews import Change, list_changes_since
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.responses import encode_json
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.server.limits import connection_limits

_MAX_EVENTS = 256
"""Events in memory, for listeners that lag behind; with fewer, more of them read the ledger."""
_BATCH = 100
"""Events that are read and sent at once. Raising it takes more memory for each listener."""
_PACE_SECONDS = 0.1
"""Pause between two batches of a backlog. A shorter one takes processor time from the photos, a longer one slows
clients that catch up."""
_POLL_SECONDS = 2.0
"""How soon a client that has disconnected frees its thread."""
_KEEPALIVE_SECONDS = 15.0
"""Silence before a comment is sent: nginx, for one, closes a connection after 60 seconds without a byte."""

LAST_EVENT_ID = Parameter("Last-Event-ID", "continue after this event", minimum=0, maximum=queries.MAX_ID)
EVENTS = Endpoint(
    "GET",
    "/events",
    "New results, and people's words on results, as server-sent events: `event: result` or `event: review`,"
    " `id` a sequence number, `data` a Result",
    {
        200: ResponseSpec("An endless stream", {"text/event-stream": {"type": "string"}}),
        400: ResponseSpec("Last-Event-ID is not a number", {JSON: reference("Error")}),
    },
    headers=(LAST_EVENT_ID,),
)

ExtraThread = Callable[[], AbstractContextManager[None]]
"""A context in which the server has one more thread, since a listener keeps one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One result, or a person's word on one, as it is sent."""

    seq: int
    """Its sequence number in the ledger."""
    data: bytes
    """The lines of the event, in UTF-8."""


def add_events_endpoint(registry: EndpointRegistry, daemon: DaemonView, extra_thread: ExtraThread) -> None:
    """Add `/events`. extra_thread: see ExtraThread."""
    stream = EventStream(daemon, extra_thread)

    def events(params: QueryParams) -> Response:  # noqa: ARG001
        last_id = request.headers.get(LAST_EVENT_ID.name)
        after = LAST_EVENT_ID.parse_integer(last_id) if last_id else None
        is_disconnected = request.environ.get("waitress.client_disconnected", lambda: False)
        response = Response(stream.listen(after, is_disconnected), mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Accel-Buffering"] = "no"  # else nginx delays events
        return response

    registry.add(EVENTS, events)


class EventStream:
    """The newest events, read and encoded once for all listeners."""

    def __init__(self, daemon: DaemonView, extra_thread: ExtraThread) -> None:
        self._daemon = daemon
        self._extra_thread = extra_thread
        self._lock = threading.Lock()
        self._max_listeners = connection_limits().listeners
        self._listeners = 0
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._complete_after: int | None = None
        """All results with a higher sequence number are in _events; None where there are no listeners."""
        self._signal_number = -1

    def listen(self, after: int | None, is_disconnected: Callable[[], bool]) -> Iterator[bytes]:
        """Return the stream for one client, until the daemon stops or is_disconnected returns true.

        It has the results after the sequence number `after`, or with None those from now on. Raise ApiError where there
        are too many listeners.
        """
        if self._listeners >= self._max_listeners:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                f"there are {self._max_listeners} listeners already; poll /results instead",
                {"Retry-After": "30"},
            )
        newest = queries.read_newest_seq(self._daemon.reader())
        seq = newest if after is None or after > newest else after
        return self._stream(seq, is_disconnected)

    def _stream(self, seq: int, is_disconnected: Callable[[], bool]) -> Iterator[bytes]:
        signal = self._daemon.result_signal
        with self._listener_counted(), self._extra_thread():
            yield b"retry: 2000\n\n"
            last_sent = time.monotonic()
            while not (signal.closed or is_disconnected()):
                known = signal.number
                events = self._events_after(seq)
                if events:
                    seq = events[-1].seq
                    yield b"".join(event.data for event in events)
                    last_sent = time.monotonic()
                    signal.wait_until_closed(_PACE_SECONDS)
                elif time.monotonic() - last_sent > _KEEPALIVE_SECONDS:
                    yield b": nothing new\n\n"
                    last_sent = time.monotonic()
                else:
                    signal.wait_for_change(known, _POLL_SECONDS)

    @contextlib.contextmanager
    def _listener_counted(self) -> Iterator[None]:
        """Count one more listener while the context lasts; drop the events when the last has left."""
        with self._lock:
            self._listeners += 1
        try:
            yield
        finally:
            with self._lock:
                self._listeners -= 1
                if self._listeners == 0:
                    self._events.clear()
                    self._complete_after = None
                    self._signal_number = -1

    def _events_after(self, seq: int) -> list[Event]:
        """Return the next events after seq, oldest first: from memory, or from the ledger where it is far behind."""
        with self._lock:
            self._catch_up()
            if self._complete_after is not None and seq >= self._complete_after:
                return [event for event in self._events if event.seq > seq]
        return self._read(seq)

    def _catch_up(self) -> None:
        """Add new results to the events; the first listener that wakes does it for all."""
        number = self._daemon.result_signal.number
        if number == self._signal_number:
            return
        if self._complete_after is None:
            self._complete_after = queries.read_newest_seq(self._daemon.reader())
        newest = self._events[-1].seq if self._events else self._complete_after
        found = self._read(newest)
        for event in found:
            if len(self._events) == self._events.maxlen:
                self._complete_after = self._events[0].seq
            self._events.append(event)
        if len(found) < _BATCH:
            self._signal_number = number

    def _read(self, seq: int) -> list[Event]:
        return [_encode(change) for change in list_changes_since(self._daemon.reader(), seq, _BATCH)]


def _encode(change: Change) -> Event:
    """Return a change as it is sent: as nothing where the result that a person looked at was forgotten."""
    if change.result is None:
        return Event(change.seq, b"")
    lines = b"event: %s\nid: %d\ndata: %s\n" % (change.kind.encode(), change.seq, encode_json(change.result))
    return Event(change.seq, lines)
