"""Results of another daemon: pages of them, and those that come."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dogid.errors import DogidError
from dogid.remote.connection import Address, LostError, get_json, open_stream
from dogid.result_document import Result

_PAGE = 500  # results asked for at once; more take more memory on either side, fewer more requests
_MOST_LINE = 4 * 1024 * 1024  # bytes of an event
_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before each attempt to reconnect. Longer ones print results later after a restart of the daemon."""


def iterate_results(address: Address, filters: Mapping[str, str], limit: int) -> Iterator[Result]:
    """Yield up to limit current results that match the filters of `GET /results`, newest first.

    Raise DogidError with the reason and the way out.
    """
    left, before = limit, float("inf")
    params = {**filters, "limit": str(min(limit, _PAGE))}
    while True:
        page = get_json(address, "results", params)
        for result in _read_results(address, page):
            left -= 1
            yield result
            if left == 0:
                return
        if page["next"] is None:
            return
        params = dict(parse_qsl(urlsplit(str(page["next"])).query)) | {"limit": str(min(left, _PAGE))}
        following = params.get("before", "")
        if not following.isdecimal() or not int(following) < before:  # it would keep us for ever
            raise DogidError(f"{address.url}: its pages of results do not get on; is it dogid?")
        before = int(following)


def _read_results(address: Address, page: Any) -> list[Result]:
    """Return the results of a page. Raise DogidError where it is not one of dogid's."""
    found = page.get("results") if isinstance(page, dict) and "next" in page else None
    if not isinstance(found, list) or not all(_is_result(item) for item in found):
        raise DogidError(f"{address.url}: answers, but not as dogid does; the daemon prints its address at its start")
    return found


def _is_result(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), int) and {"file", "status", "label"} <= item.keys()


class ResultStream:
    """The results of `GET /events`, over as many connections as it takes."""

    def __init__(self, address: Address, on_message: Callable[[str], None]) -> None:
        """on_message: is given a line for people where the connection is lost, and when it is there again."""
        self._address = address
        self._on_message = on_message
        self._last_id: str | None = None
        self._failures = 0

    def iterate(self, on_open: Callable[[], None]) -> Iterator[Result]:
        """Yield results and reviewed ones as they come, for ever.

        on_open: called when all that comes from then on will be yielded: once, but where the connection is lost before
        anything came. Raise DogidError where the first connection fails, or the daemon refuses.
        """
        is_first = True
        while True:
            try:
                for result in self._read_once():
                    if result is not None:
                        yield result
                    elif self._last_id is None:
                        is_first = False
                        on_open()
            except LostError as error:
                if is_first:
                    raise
                reason = str(error)
            else:
                reason = f"{self._address.url}: the daemon has ended the connection"
            if self._failures == 0:
                self._on_message(f"{reason}; connecting again")
            time.sleep(_PAUSES[min(self._failures, len(_PAUSES) - 1)])
            self._failures += 1

    def _read_once(self) -> Iterator[Result | None]:
        """Yield None once the stream is open, then results until it ends."""
        headers = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
        with open_stream(self._address, "events", {}, headers) as answer:
            if answer.headers.get_content_type() != "text/event-stream":
                raise DogidError(f"{self._address.url}: has no events, so that it is not dogid")
            number, data = "", ""
            while line := answer.readline(_MOST_LINE):
                if not line.endswith(b"\n"):
                    break  # half an event: it comes again
                field, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
                if field == "retry":
                    if self._failures:
                        self._on_message(f"{self._address.url}: connected again")
                    self._failures = 0
                    yield None
                elif field == "id":
                    number = value
                elif field == "data":
                    data = value
                elif not field and data:
                    yield self._parse(data)
                    self._last_id, data = number, ""

    def _parse(self, data: str) -> Result:
        try:
            result = json.loads(data)
        except ValueError:
            result = None
        if not _is_result(result):
            raise DogidError(f"{self._address.url}: an event is no result; is it dogid?")
        found: Result = result
        return found
