"""`/events`: results as server-sent events, as they are written down.

Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html. An event's id is its result's
place in the order of results, so that a listener who was away goes on where it left off.
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
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.responses import encode_json
from dogid.web.api.schemas import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

MOST_LISTENERS = 64  # each keeps a thread, of which the systemd service may have 256
_FRAMES_KEPT = 256
_BATCH = 100  # events that are read and sent at once
_PACE_SECONDS = 0.1  # between two batches of a backlog: a listener is a person or slower
_LOOK_SECONDS = 2.0  # how soon a listener who has gone is noticed
_SILENCE_SECONDS = 15.0  # until a comment is sent, so that nobody in between takes the connection for dead
_HIGHEST = (1 << 63) - 1

EVENTS = Endpoint(
    "GET",
    "/events",
    "New results as server-sent events: `event: result`, `id` their order, `data` a Result",
    {
        200: ResponseSpec("A stream without an end", {"text/event-stream": {"type": "string"}}),
        400: ResponseSpec("Last-Event-ID is no number", {JSON: reference("Error")}),
    },
    headers=(Parameter("Last-Event-ID", "go on after this event", minimum=0, maximum=_HIGHEST),),
)

ExtraThread = Callable[[], AbstractContextManager[None]]
"""A context in which the server has one thread more, since a listener keeps one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, ready to be sent."""

    seq: int
    data: bytes


def add_events_endpoint(registry: EndpointRegistry, daemon: DaemonView, extra_thread: ExtraThread) -> None:
    """Add the endpoint."""
    stream = EventStream(daemon, extra_thread)

    def events(params: QueryParams) -> Response:  # noqa: ARG001
        after = _last_event_id(request.headers.get("Last-Event-ID", ""))
        gone = request.environ.get("waitress.client_disconnected", lambda: False)
        response = Response(stream.listen(after, gone), mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
        return response

    registry.add(EVENTS, events)


class EventStream:
    """The newest events, made once for all listeners."""

    def __init__(self, daemon: DaemonView, extra_thread: ExtraThread) -> None:
        self._daemon = daemon
        self._extra_thread = extra_thread
        self._lock = threading.Lock()
        self._listeners = 0
        self._frames: deque[Frame] = deque(maxlen=_FRAMES_KEPT)
        self._reaches_back_to: int | None = None
        """All results after this one are among the frames; None: nobody has listened of late."""
        self._signal_number = -1

    def listen(self, after: int | None, gone: Callable[[], bool]) -> Iterator[bytes]:
        """Return the stream for one listener, from the result after `after` on, or from now on.

        Raise ApiError where there are too many already.
        """
        if self._listeners >= MOST_LISTENERS:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                f"{MOST_LISTENERS} listen already; ask /results now and then instead",
                {"Retry-After": "30"},
            )
        newest = queries.newest_seq(self._daemon.reader())
        seq = newest if after is None or after > newest else after
        return self._stream(seq, gone)

    def _stream(self, seq: int, gone: Callable[[], bool]) -> Iterator[bytes]:
        signal = self._daemon.result_signal
        with self._counted(), self._extra_thread():
            yield b"retry: 2000\n\n"
            spoke = time.monotonic()
            while not (signal.closed or gone()):
                known = signal.number
                frames = self._after(seq)
                if frames:
                    seq = frames[-1].seq
                    yield b"".join(frame.data for frame in frames)
                    spoke = time.monotonic()
                    signal.wait_until_closed(_PACE_SECONDS)
                elif time.monotonic() - spoke > _SILENCE_SECONDS:
                    yield b": nothing new\n\n"
                    spoke = time.monotonic()
                else:
                    signal.wait_for_change(known, _LOOK_SECONDS)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """One listener more for as long as the context lasts; when the last has gone, nothing is kept."""
        with self._lock:
            self._listeners += 1
        try:
            yield
        finally:
            with self._lock:
                self._listeners -= 1
                if self._listeners == 0:
                    self._frames.clear()
                    self._reaches_back_to = None
                    self._signal_number = -1

    def _after(self, seq: int) -> list[Frame]:
        """The next events after seq, oldest first: from memory, or from the ledger for one who was away for long."""
        with self._lock:
            self._catch_up()
            if self._reaches_back_to is not None and seq >= self._reaches_back_to:
                return [frame for frame in self._frames if frame.seq > seq]
        return self._read(seq)

    def _catch_up(self) -> None:
        """Add what is new to the frames; the first listener who wakes does it for all."""
        number = self._daemon.result_signal.number
        if number == self._signal_number:
            return
        if self._reaches_back_to is None:
            self._reaches_back_to = queries.newest_seq(self._daemon.reader())
        newest = self._frames[-1].seq if self._frames else self._reaches_back_to
        found = self._read(newest)
        for frame in found:
            if len(self._frames) == self._frames.maxlen:
                self._reaches_back_to = self._frames[0].seq
            self._frames.append(frame)
        if len(found) < _BATCH:
            self._signal_number = number

    def _read(self, seq: int) -> list[Frame]:
        found = queries.results_since(self._daemon.reader(), seq, _BATCH)
        return [Frame(at, b"event: result\nid: %d\ndata: %s\n" % (at, encode_json(result))) for at, result in found]


def _last_event_id(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _HIGHEST):
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "Last-Event-ID is none of ours: a whole number")
    return int(text)
