"""`/results/ID/label`, `/labels` and `/review`: what people say about photos, and which are worth their look."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, request

from dogid.ledger import queries
from dogid.ledger.damage import is_damage
from dogid.ledger.ledger_condition import find_full_disk
from dogid.ledger.review_writer import (
    MAX_LABEL,
    MAX_NAME,
    NoAnswerError,
    UnknownResultError,
    Word,
    WordError,
    say_label,
    say_verdict,
)
from dogid.result_document import Result
from dogid.reviewing.review_order import ORDERS, choose_photos
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response, prefers_page
from dogid.web.api.results import LIMIT
from dogid.web.api.schema_parts import reference
from dogid.web.auth.middleware import is_signed_in
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

MOST_IDS = 1000
"""Results that get a word at once: as many as a page of results has."""
MAX_BODY = 100_000
"""Bytes of a request: a thousand ids and a label, twice over."""
_VERDICTS = ("confirmed", "unsure")

_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\u2028\u2029\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
)
"""The characters up to U+FFFF that `review_writer` refuses."""
_TEXT = {"type": "string", "pattern": rf"^[^{_UNSEEN}]*[^\s\u200c\u200d{_UNSEEN}][^{_UNSEEN}]*$"}
"""What can be shown, and is not blank."""
LABEL = _TEXT | {"maxLength": MAX_LABEL, "description": "known to the model or not"}
_VERDICT = {"type": "string", "enum": list(_VERDICTS)}
BY = _TEXT | {"maxLength": MAX_NAME, "description": "who says so"}
_ERROR = {JSON: reference("Error")}
_REFUSALS = {
    400: ResponseSpec("The body is not as described", _ERROR),
    403: ResponseSpec("Sent by a page of another site", _ERROR),
    404: ResponseSpec("There is no such result", _ERROR),
    409: ResponseSpec("The photo has not been classified yet, or has no label to confirm", _ERROR),
    413: ResponseSpec("The body is too long", _ERROR),
}


def _word_schema(others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a body with a label or a verdict, and other keys that it must have."""
    kinds = [
        {
            "type": "object",
            "properties": {**others, key: schema, "by": BY},
            "required": [*others, key],
            "additionalProperties": False,
        }
        for key, schema in (("label", LABEL), ("verdict", _VERDICT))
    ]
    return {"oneOf": kinds}


_IDS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": queries.MAX_ID},
    "minItems": 1,
    "maxItems": MOST_IDS,
}

LABEL_RESULT = Endpoint(
    "POST",
    "/results/<int:id>/label",
    "Say what a photo shows, that the model's label is right, or that nobody knows; kept beside the model's answer",
    {200: ResponseSpec("The result", {JSON: reference("Result")}), **_REFUSALS},
    body={JSON: _word_schema({})},
    rejects_unknown=True,
)
WITHDRAW_LABEL = Endpoint(
    "DELETE",
    "/results/<int:id>/label",
    "Take back what people said about a photo; its history keeps it",
    {200: ResponseSpec("The result", {JSON: reference("Result")}), **_REFUSALS},
    parameters=(Parameter("by", "who takes it back"),),
    rejects_unknown=True,
)
LABEL_RESULTS = Endpoint(
    "POST",
    "/labels",
    "Say the same about many photos: all get the word, or none",
    {200: ResponseSpec("The results, in the order of the ids", {JSON: reference("LabelledResults")}), **_REFUSALS},
    body={JSON: _word_schema({"ids": _IDS})},
    rejects_unknown=True,
)
ORDER = Parameter("order", "what is most useful: see the guide", choices=ORDERS)
REVIEW = Endpoint(
    "GET",
    "/review",
    "Photos in the inbox that nobody has reviewed, the most useful to review first; to browsers, the page for it",
    {
        200: ResponseSpec("Results, or the page", {JSON: reference("ToReview"), "text/html": {"type": "string"}}),
        400: ResponseSpec("A parameter is not as described", _ERROR),
    },
    parameters=(ORDER, LIMIT),
    rejects_unknown=True,
)


ReviewPage = Callable[[Sequence[Result], str], Response]
"""Given results to review and their order, returns the page that shows them."""


def add_review_endpoints(registry: EndpointRegistry, daemon: DaemonView, page: ReviewPage) -> None:
    """Add `/results/ID/label`, `/labels` and `/review`; page: what browsers get there."""

    def label_result(params: QueryParams, *, id: int) -> Response:  # noqa: A002, ARG001
        word = _read_word(read_body(("label", "verdict", "by")))
        return json_response(_review(daemon, [id], word)[0])

    def withdraw_label(params: QueryParams, *, id: int) -> Response:  # noqa: A002
        word = _checked_word(lambda by: say_verdict("withdrawn", by), params["by"])
        return json_response(_review(daemon, [id], word)[0])

    def label_results(params: QueryParams) -> Response:  # noqa: ARG001
        body = read_body(("ids", "label", "verdict", "by"))
        ids, word = _read_ids(body), _read_word(body)
        return json_response({"results": _review(daemon, ids, word)})

    def review(params: QueryParams) -> Response:
        order = params["order"] or ORDERS[0]
        found = choose_photos(daemon.reader(), order, params["limit"], daemon.model.file.network)
        response = page(found, order) if prefers_page() else json_response({"results": found, "order": order})
        response.vary.add("Accept")
        return response

    registry.add(LABEL_RESULT, label_result)
    registry.add(WITHDRAW_LABEL, withdraw_label)
    registry.add(LABEL_RESULTS, label_results)
    registry.add(REVIEW, review)


def _review(daemon: DaemonView, ids: Sequence[int], word: Word) -> list[Result]:
    """Write a word on results, by id, and return them as they are then. Raise ApiError."""
    write_word(daemon, ids, word)
    found = {photo_id: queries.find_result(daemon.reader(), photo_id) for photo_id in dict.fromkeys(ids)}
    return [result for photo_id in ids if (result := found[photo_id]) is not None]


def write_word(daemon: DaemonView, ids: Sequence[int], word: Word) -> int:
    """Write a word on results, by id: on all or none; return how many words were written. Raise ApiError."""
    try:
        if max(ids) > queries.MAX_ID:
            raise UnknownResultError(f"there is no result {max(ids)}")
        with writing_words(daemon):
            return daemon.review(ids, word)
    except UnknownResultError as error:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", str(error)) from None
    except NoAnswerError as error:
        raise ApiError(HTTPStatus.CONFLICT, "not_classified", str(error)) from None


@contextlib.contextmanager
def writing_words(daemon: DaemonView) -> Iterator[None]:
    """Answer that nothing is stored where the ledger cannot be written to. Raise ApiError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        reason = find_full_disk(daemon.state) or str(error)
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "ledger_unavailable", f"not stored: {reason}") from error


def read_body(keys: Sequence[str]) -> dict[str, Any]:
    """Return the request's body, a JSON object with some of these keys. Raise ApiError."""
    request.max_content_length = MAX_BODY
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise bad_request('the body must be a JSON object such as {"label": "pug"}')
    unknown = next((key for key in body if key not in keys), None)
    if unknown is not None:
        raise bad_request(f"there is no key {unknown!r}; keys are {', '.join(keys)}")
    return body


def _read_ids(body: dict[str, Any]) -> list[int]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST_IDS:
        raise bad_request(f"ids must be a list of 1 to {MOST_IDS} results' ids")
    if any(isinstance(one, bool) or not isinstance(one, int | float) or one < 1 or one % 1 for one in ids):
        raise bad_request("ids must be whole numbers from 1")
    return [int(one) for one in ids]


def _read_word(body: dict[str, Any]) -> Word:
    """Return what a body says: a label, or a verdict. Raise ApiError."""
    if ("label" in body) == ("verdict" in body):
        raise bad_request("the body must have either a label or a verdict")
    if any(key != "ids" and not isinstance(value, str) for key, value in body.items()):
        raise bad_request("label, verdict and by must be strings")
    label, verdict, by = (body.get(key) for key in ("label", "verdict", "by"))
    if label is not None:
        return _checked_word(lambda name: say_label(label, name), by)
    if verdict not in _VERDICTS:
        raise bad_request(f"there is no verdict {verdict!r}; verdicts are {', '.join(_VERDICTS)}")
    return _checked_word(lambda name: say_verdict(verdict, name), by)


def _checked_word(say: Callable[[str], Word], by: str | None) -> Word:
    """Return what somebody says; by: their name, or None where none was sent. Raise ApiError."""
    try:
        return say(describe_client() if by is None else by)
    except WordError as error:
        raise bad_request(str(error)) from None


def describe_client() -> str:
    """Return who says something where no name was sent."""
    if is_signed_in():
        return "signed-in browser"
    return f"client at {request.remote_addr}" if request.remote_addr else "client"


def bad_request(message: str) -> ApiError:
    """Return the refusal of a request that is not as described."""
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", message)
