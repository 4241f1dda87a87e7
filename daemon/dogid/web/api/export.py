"""`/export.csv`: all results that match a filter, as a table for spreadsheets, in one answer of any length."""

import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

from flask import Response, request

from dogid.exporting.all_results import iterate_batches
from dogid.ledger.queries import ResultFilter
from dogid.result_table import MEDIA_TYPE, encode_results, header_line
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.events import ExtraThread
from dogid.web.api.results import FILTERS, read_filter, reject_unknown_label
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_MAX_EXPORTS = 2
"""At the same time: each keeps a thread of its own until its client has read it. More slow the photos down."""
_BATCH = 200
"""Results that are read and sent at once. More take more memory, and keep the interpreter for longer."""
_PACE_SECONDS = 0.005
"""Pause between two batches. A shorter one takes processor time from the photos, a longer one slows the export."""

EXPORT = Endpoint(
    "GET",
    "/export.csv",
    "All results as CSV, oldest first: a Result's fields, flat, with `camera` (the first folder) and a person's word",
    {
        200: ResponseSpec("The table, in UTF-8", {"text/csv": {"type": "string"}}),
        400: ResponseSpec("A parameter is not as described", {JSON: reference("Error")}),
    },
    parameters=FILTERS,
    rejects_unknown=True,
)


def add_export_endpoint(registry: EndpointRegistry, daemon: DaemonView, extra_thread: ExtraThread) -> None:
    """Add `/export.csv`. extra_thread: see ExtraThread."""
    free = threading.BoundedSemaphore(_MAX_EXPORTS)

    def export(params: QueryParams) -> Response:
        wanted = read_filter(params)
        reject_unknown_label(daemon, wanted.label)
        is_disconnected = request.environ.get("waitress.client_disconnected", lambda: False)
        parts = _stream(daemon, wanted, extra_thread, is_disconnected, free)
        first = next(parts)  # the refusal, where there are too many, while it still can have a status
        response = Response(_Stream(first, parts), content_type=MEDIA_TYPE)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Disposition"] = "attachment; filename=dogid.csv"
        return response

    registry.add(EXPORT, export)


class _Stream:
    """Parts of an answer, of which the first is known; closed also where none is asked for, as after HEAD."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next part."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._rest)

    def close(self) -> None:
        """Give the thread back."""
        getattr(self._rest, "close", lambda: None)()


def _stream(
    daemon: DaemonView,
    wanted: ResultFilter,
    extra_thread: ExtraThread,
    is_disconnected: Callable[[], bool],
    free: threading.BoundedSemaphore,
) -> Iterator[bytes]:
    if not free.acquire(blocking=False):
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "busy",
            f"{_MAX_EXPORTS} exports are being read already; try again when one has ended",
            {"Retry-After": "30"},
        )
    try:
        with extra_thread():
            yield header_line().encode()
            for batch in iterate_batches(daemon.reader(), wanted, _BATCH):
                if daemon.result_signal.closed or is_disconnected():
                    raise ConnectionAbortedError("the export was cut off")
                yield encode_results(batch).encode()
                time.sleep(_PACE_SECONDS)
    finally:
        free.release()
