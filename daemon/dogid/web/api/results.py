"""`/results` and `/results/ID`; pages of results are cached until the ledger changes."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

from flask import Response

from dogid.clock import iso_utc
from dogid.ledger import known_labels, queries, result_rows
from dogid.ledger.bounded_search import BoundedSearch, needs_bound
from dogid.ledger.histories import Position, read_history_page
from dogid.ledger.verdicts import STANDING
from dogid.moments import parse_typed_moment
from dogid.quantities import parse_typed_score
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.responses import CachedResponse, encode_json, json_response
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_MAX_PAGES = 16
"""Pages in the cache: several clients that poll for different labels. With fewer they evict each other's pages."""
_MAX_PAGE_BYTES = 200_000
"""Larger pages are not cached. So the cache holds 3.2 MB at most, and the compressed copies, a tenth of that or so."""
_MAX_STEP = 1000
"""Far above the steps that the ledger keeps of one version."""

_MOMENT = {"type": "string", "format": "date-time"}
_SCORE = {"type": "number", "minimum": 0, "maximum": 1}

LIMIT = Parameter("limit", "largest number of results", minimum=1, maximum=1000, default=50)
BEFORE = Parameter("before", "only results with a smaller id", minimum=0, maximum=queries.MAX_ID)
LABEL = Parameter("label", "only photos that have this label by the model, or by a person's word that stands")
PRESENT = Parameter(
    "present",
    "only photos that are in the inbox (true), or only those that have left it (false)",
    choices=("true", "false"),
)
REVIEWED = Parameter(
    "reviewed",
    "only photos on which a person's word stands (true), or none does (false), or one with this verdict",
    choices=("true", "false", *STANDING),
)
SINCE = Parameter(
    "since",
    "only photos that were answered since then; without an offset from UTC, by the machine's time zone",
    read=lambda text: parse_typed_moment(text, datetime.now().astimezone()),
    text_schema=_MOMENT,
)
UNTIL = Parameter(
    "until",
    "only photos that were answered before then, or until the end of that day",
    read=lambda text: parse_typed_moment(text, datetime.now().astimezone(), is_end=True),
    text_schema=_MOMENT,
)
MIN_SCORE = Parameter("min_score", "only answers with at least this score", read=parse_typed_score, text_schema=_SCORE)
MAX_SCORE = Parameter("max_score", "only answers with at most this score", read=parse_typed_score, text_schema=_SCORE)
FOLDER = Parameter("folder", "only photos in this folder of the inbox, and in those below it")
UNSURE = Parameter(
    "unsure",
    "only answers below their label's threshold and photos of which a person is unsure (yes), or only others (no)",
    choices=("yes", "no"),
)
STATUS = Parameter("status", "only photos with this status", choices=result_rows.STATUSES)
FILTERS = (LABEL, STATUS, PRESENT, REVIEWED, SINCE, UNTIL, MIN_SCORE, MAX_SCORE, FOLDER, UNSURE)
"""Which results are wanted; `read_filter` reads them."""
HISTORY_POSITION = (
    Parameter("before", "only the history of versions with a smaller id", minimum=0, maximum=queries.MAX_ID),
    Parameter("step", "and so many steps of version `before`, its oldest", minimum=0, maximum=_MAX_STEP, default=0),
)
"""Where a page of history begins, as in `next` of the page before."""

RESULTS = Endpoint(
    "GET",
    "/results",
    "Each photo's current result, newest first",
    {
        200: ResponseSpec(
            "A page of results; where a filter finds few, it may hold fewer than limit and still have a next one",
            {JSON: reference("Results")},
        ),
        304: ResponseSpec("The page still has the ETag that was sent (If-None-Match)"),
        400: ResponseSpec("A parameter is not as described", {JSON: reference("Error")}),
    },
    parameters=(LIMIT, BEFORE, *FILTERS),
    rejects_unknown=True,
)
RESULT = Endpoint(
    "GET",
    "/results/<int:id>",
    "One result and the history of its photo, newest first",
    {
        200: ResponseSpec("The result, with a page of its history", {JSON: reference("ResultWithHistory")}),
        400: ResponseSpec("A parameter is not as described", {JSON: reference("Error")}),
        404: ResponseSpec("There is no such result", {JSON: reference("Error")}),
    },
    parameters=HISTORY_POSITION,
    rejects_unknown=True,
)


def add_results_endpoints(registry: EndpointRegistry, daemon: DaemonView) -> None:
    """Add `/results` and `/results/ID`."""
    cache = PageCache()

    def results(params: QueryParams) -> Response:
        result_filter = read_filter(params)
        changes = daemon.ledger_changes  # before the query: a cached page may be newer than its number, never older
        thresholds = daemon.settings.thresholds  # also before: a reload may change what is unsure
        page = cache.get(result_filter, changes, thresholds)
        if page is None:
            reject_unknown_label(daemon, result_filter.label)
            page = CachedResponse(_encode_page(daemon, result_filter))
            cache.put(result_filter, changes, thresholds, page)
        return page.response()

    def result(params: QueryParams, *, id: int) -> Response:  # noqa: A002
        found = queries.find_result(daemon.reader(), id) if id <= queries.MAX_ID else None
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"there is no result {id}")
        history = read_history_page(daemon.reader(), id, history_position(params))
        next_link = None if history.next is None else f"/results/{id}?{history_query(history.next)}"
        return json_response(found | {"history": history.steps, "next": next_link})

    registry.add(RESULTS, results)
    registry.add(RESULT, result)


def read_filter(params: QueryParams) -> queries.ResultFilter:
    """Given the values of FILTERS, and perhaps of LIMIT and BEFORE, return which results are wanted."""
    values = dict(params)
    present = {"true": True, "false": False}.get(values.pop("present"))
    unsure = {"yes": True, "no": False}.get(values.pop("unsure"))
    since, until = values.pop("since"), values.pop("until")
    return queries.ResultFilter(**values, present=present, since_ms=since, until_ms=until, unsure=unsure)


def reject_unknown_label(daemon: DaemonView, label: str | None) -> None:
    """Raise ApiError, which names the labels there are, where no model has a label."""
    problem = None if label is None else known_labels.explain_unknown_label(daemon.reader(), label)
    if problem is not None:
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", problem)


def history_position(params: QueryParams) -> Position | None:
    """Given the values of HISTORY_POSITION, return where the page of history begins; None for the newest."""
    return None if params["before"] is None else Position(params["before"], params["step"])


def history_query(position: Position) -> str:
    """Return the query that HISTORY_POSITION reads a position from."""
    return f"before={position.result}" + (f"&step={position.step}" if position.step else "")


def _encode_page(daemon: DaemonView, result_filter: queries.ResultFilter) -> bytes:
    """Return a page as JSON, encoded a result at a time: a thousand at once would take MB that are never freed."""
    parts, last_id = list[bytes](), 0
    search = BoundedSearch(daemon.reader(), result_filter) if needs_bound(result_filter) else None
    for result in queries.iterate_results(daemon.reader(), result_filter) if search is None else search:
        parts.append(encode_json(result).rstrip())
        last_id = result["id"]
    before = last_id if len(parts) == result_filter.limit else None if search is None else search.next_before
    next_link = encode_json(None if before is None else _next_link(result_filter, before))
    return b'{"results":[' + b",".join(parts) + b'],"next":' + next_link.rstrip() + b"}\n"


def _next_link(this: queries.ResultFilter, before: int) -> str:
    params = {"before": str(before), "limit": str(this.limit), "label": this.label, "status": this.status}
    params |= {"reviewed": this.reviewed, "folder": this.folder}
    params |= {"since": None if this.since_ms is None else iso_utc(this.since_ms)}
    params |= {"until": None if this.until_ms is None else iso_utc(this.until_ms)}
    params |= {"min_score": None if this.min_score is None else repr(this.min_score)}
    params |= {"max_score": None if this.max_score is None else repr(this.max_score)}
    if this.present is not None:
        params["present"] = "true" if this.present else "false"
    if this.unsure is not None:
        params["unsure"] = "yes" if this.unsure else "no"
    return "/results?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in params.items() if value)


class PageCache:
    """The last few pages, all made since the ledger or the thresholds changed last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = -1
        self._thresholds: Mapping[str, float] = {}
        self._pages: OrderedDict[queries.ResultFilter, CachedResponse] = OrderedDict()

    def get(
        self, result_filter: queries.ResultFilter, changes: int, thresholds: Mapping[str, float]
    ) -> CachedResponse | None:
        """Return the page of a filter if it was made at this number of changes of the ledger, by these thresholds."""
        with self._lock:
            is_current = changes == self._changes and thresholds == self._thresholds
            return self._pages.get(result_filter) if is_current else None

    def put(
        self, result_filter: queries.ResultFilter, changes: int, thresholds: Mapping[str, float], page: CachedResponse
    ) -> None:
        """Keep the page of a filter, which was made at this number of changes of the ledger, by these thresholds."""
        if len(page.body) > _MAX_PAGE_BYTES:
            return
        with self._lock:
            if changes < self._changes:
                return
            if changes > self._changes or thresholds != self._thresholds:
                self._changes, self._thresholds = changes, thresholds
                self._pages.clear()
            self._pages[result_filter] = page
            while len(self._pages) > _MAX_PAGES:
                self._pages.popitem(last=False)
