"""`/results` and `/results/ID`: the ledger's answers, kept ready for as long as nothing has changed."""

import threading
from collections import OrderedDict
from http import HTTPStatus
from urllib.parse import quote

from flask import Response

from dogid.ledger import queries
from dogid.web.api.endpoint import JSON, Answer, Endpoint, Given, Interface, Parameter
from dogid.web.api.responses import Prepared, as_json, encode
from dogid.web.api.schemas import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_MOST_KEPT = 16
_LARGEST_KEPT = 200_000  # bytes
_HIGHEST_ID = (1 << 63) - 1

LIMIT = Parameter("limit", "at most so many", low=1, high=1000, default=50)
BEFORE = Parameter("before", "only results with a smaller id", low=0, high=_HIGHEST_ID)
LABEL = Parameter("label", "only photos with this label")
STATUS = Parameter("status", "only photos in this state", choices=queries.STATUSES)

LIST = Endpoint(
    "GET",
    "/results",
    "Each photo's current result, newest first",
    {
        200: Answer("A page of results", {JSON: reference("Results")}),
        304: Answer("The page is still the one whose ETag was sent (If-None-Match)"),
        400: Answer("A parameter is not as described", {JSON: reference("Error")}),
    },
    parameters=(LIMIT, BEFORE, LABEL, STATUS),
)
ONE = Endpoint(
    "GET",
    "/results/<int:id>",
    "One result and all that happened to its photo",
    {
        200: Answer("The result", {JSON: reference("ResultWithHistory")}),
        404: Answer("There is no such result", {JSON: reference("Error")}),
    },
)


def add_listing(interface: Interface, daemon: DaemonView) -> None:
    """Add both endpoints."""
    kept = _Kept()

    def results(given: Given) -> Response:
        wanted = queries.ResultFilter(**given)
        changes = daemon.ledger_changes  # before the question: what is kept may be newer than it says, never older
        page = kept.get(wanted, changes)
        if page is None:
            page = Prepared(_page(daemon, wanted))
            kept.put(wanted, changes, page)
        return page.response()

    def result(given: Given, *, id: int) -> Response:  # noqa: A002, ARG001
        found = queries.result_with_history(daemon.reader(), id) if id <= _HIGHEST_ID else None
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"there is no result {id}")
        return as_json(found)

    interface.add(LIST, results)
    interface.add(ONE, result)


def _page(daemon: DaemonView, wanted: queries.ResultFilter) -> bytes:
    """Return the document, made a result at a time: a thousand at once would take megabytes that are not given back."""
    parts, last_id = list[bytes](), 0
    for result in queries.iterate_results(daemon.reader(), wanted):
        parts.append(encode(result).rstrip())
        last_id = result["id"]
    following = encode(_next_page(wanted, last_id) if len(parts) == wanted.limit else None)
    return b'{"results":[' + b",".join(parts) + b'],"next":' + following.rstrip() + b"}\n"


def _next_page(wanted: queries.ResultFilter, last_id: int) -> str:
    arguments = {"before": str(last_id), "limit": str(wanted.limit), "label": wanted.label, "status": wanted.status}
    return "/results?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in arguments.items() if value)


class _Kept:
    """The last few pages, each with the state of the ledger that it was made from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = -1
        self._pages: OrderedDict[queries.ResultFilter, Prepared] = OrderedDict()

    def get(self, wanted: queries.ResultFilter, changes: int) -> Prepared | None:
        """Return the page if it was made since the ledger changed last."""
        with self._lock:
            return self._pages.get(wanted) if changes == self._changes else None

    def put(self, wanted: queries.ResultFilter, changes: int, page: Prepared) -> None:
        """Keep a page for whoever asks next."""
        if len(page.body) > _LARGEST_KEPT:
            return
        with self._lock:
            if changes < self._changes:
                return
            if changes > self._changes:
                self._changes = changes
                self._pages.clear()
            self._pages[wanted] = page
            while len(self._pages) > _MOST_KEPT:
                self._pages.popitem(last=False)
