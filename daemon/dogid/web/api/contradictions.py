"""`/learn/contradictions`: photos of the model's own training whose labels contradict others, and people's answers."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response

from dogid.learning_run.last_report import read_contradictions
from dogid.learning_run.stored_contradictions import Document, UnknownPhotoError, list_stored_contradictions, make_words
from dogid.ledger.review_writer import WordError
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response
from dogid.web.api.reviews import BY, LABEL, bad_request, describe_client, read_body, writing_words
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_ERROR = {JSON: reference("Error")}
_REFUSALS = {
    400: ResponseSpec("The request is not as described", _ERROR),
    403: ResponseSpec("Sent by a page of another site", _ERROR),
    404: ResponseSpec("No such photo contradicts others", _ERROR),
    413: ResponseSpec("The body is too long", _ERROR),
}
_ONE = {200: ResponseSpec("The photo, with the answer", {JSON: reference("Contradiction")}), **_REFUSALS}


def _answer_schema(answers: Sequence[str], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a body with one of these answers, and other keys that it may have."""
    return {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(answers)}, **others, "by": BY},
        "required": ["answer"],
        "additionalProperties": False,
    }


LIST = Endpoint(
    "GET",
    "/learn/contradictions",
    "Photos of the model's own training whose labels contradict others, by the last run; unanswered first",
    {200: ResponseSpec("The photos", {JSON: reference("Contradictions")})},
    rejects_unknown=True,
)
ANSWER = Endpoint(
    "POST",
    "/learn/contradictions/<string:sha256>",
    "Say what becomes of such a photo: it gets another label, is left out, or keeps its own; the next run goes by it",
    _ONE,
    body={JSON: {"oneOf": [_answer_schema(["relabel"], {"label": LABEL}), _answer_schema(["drop", "keep"], {})]}},
    rejects_unknown=True,
)
WITHDRAW = Endpoint(
    "DELETE",
    "/learn/contradictions/<string:sha256>",
    "Take back what was answered",
    _ONE,
    parameters=(Parameter("by", "who takes it back"),),
    rejects_unknown=True,
)


def add_contradiction_endpoints(registry: EndpointRegistry, daemon: DaemonView) -> None:
    """Add `GET /learn/contradictions`, and `POST` and `DELETE /learn/contradictions/SHA256`."""

    def list_all(params: QueryParams) -> Response:  # noqa: ARG001
        return json_response({"contradictions": list_contradictions(daemon)})

    def answer(params: QueryParams, *, sha256: str) -> Response:  # noqa: ARG001
        body = read_body(("answer", "label", "by"))
        if not isinstance(body.get("answer"), str) or any(not isinstance(value, str) for value in body.values()):
            raise bad_request("the body must have an answer; answer, label and by must be strings")
        found = answer_contradictions(daemon, [sha256], body["answer"], body.get("label"), body.get("by"))
        return json_response(found[0])

    def withdraw(params: QueryParams, *, sha256: str) -> Response:
        return json_response(answer_contradictions(daemon, [sha256], None, None, params["by"])[0])

    registry.add(LIST, list_all)
    registry.add(ANSWER, answer)
    registry.add(WITHDRAW, withdraw)


def list_contradictions(daemon: DaemonView) -> list[Document]:
    """Return the photos that the last run found, and those answered before, as `list_stored_contradictions` does."""
    return list_stored_contradictions(daemon.reader(), read_contradictions(daemon.state))


def answer_contradictions(
    daemon: DaemonView, chosen: Sequence[str], answer: str | None, label: str | None, by: str | None
) -> list[Document]:
    """Write an answer, None to take it back, on photos by SHA-256; return them with it. Raise ApiError."""
    asked = list_contradictions(daemon)
    try:
        words = make_words(asked, chosen, answer, label, describe_client() if by is None else by)
    except UnknownPhotoError as error:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", str(error)) from None
    except WordError as error:
        raise bad_request(str(error)) from None
    with writing_words(daemon):
        for photos, word in words:
            daemon.review_training_photos(photos, word)
    after = {one["sha256"]: one for one in list_contradictions(daemon)}
    before = {one["sha256"]: one for one in asked}
    nothing = dict.fromkeys(("answer", "answer_label", "by", "at"))
    return [after.get(sha256, before[sha256] | nothing) for sha256 in chosen]
