"""`/learn`: a new model of what people said about photos, learned beside the running daemon."""

import json
from dataclasses import asdict
from http import HTTPStatus

from flask import Response, request

from dogid.errors import ConflictError, DogidError
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_MAX_BODY = 100_000  # bytes, as of a review; what is longer than one word is refused with the reason
_ERROR = {JSON: reference("Error")}
_LEARNING = {JSON: reference("Learning")}

LEARN = Endpoint(
    "POST",
    "/learn",
    "Begin to learn a new model of the reviewed photos; its report comes with GET /learn",
    {
        202: ResponseSpec("It has begun", _LEARNING),
        400: ResponseSpec("The body is not as described", _ERROR),
        403: ResponseSpec("Sent by a page of another site", _ERROR),
        409: ResponseSpec("A learning run is under way, or the settings name the model", _ERROR),
        413: ResponseSpec("The body is too long", _ERROR),
        503: ResponseSpec("No process can be started", _ERROR),
    },
    body={
        JSON: {
            "type": "object",
            "properties": {
                "activate": {"type": "boolean", "description": "whether the model classifies once it passed the gate"}
            },
            "additionalProperties": False,
        }
    },
    needs_body=False,
    rejects_unknown=True,
)
LEARNING = Endpoint(
    "GET",
    "/learn",
    "Whether a learning run is under way, and the report of the last one",
    {200: ResponseSpec("The learning run", _LEARNING)},
)


def add_learning_endpoints(registry: EndpointRegistry, daemon: DaemonView) -> None:
    """Add `POST /learn` and `GET /learn`."""

    def learn(params: QueryParams) -> Response:  # noqa: ARG001
        start_learning(daemon, activate=_read_activate())
        return json_response(asdict(daemon.learning.last_run()), HTTPStatus.ACCEPTED)

    def learning(params: QueryParams) -> Response:  # noqa: ARG001
        return json_response(asdict(daemon.learning.last_run()))

    registry.add(LEARN, learn)
    registry.add(LEARNING, learning)


def start_learning(daemon: DaemonView, *, activate: bool) -> None:
    """Start a run. Raise ApiError where that is refused."""
    if activate and daemon.settings.model is not None:
        raise ApiError(HTTPStatus.CONFLICT, "conflict", "the settings name the model; what is activated would not run")
    try:
        daemon.learning.start(daemon.settings, activate=activate)
    except ConflictError as error:
        raise ApiError(HTTPStatus.CONFLICT, "conflict", str(error)) from None
    except DogidError as error:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", str(error)) from None


def _read_activate() -> bool:
    """Return what the request's body says; false without a body. Raise ApiError where it is not as described."""
    request.max_content_length = _MAX_BODY
    data = request.get_data(cache=False)
    if not data:
        return False
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or body.keys() - {"activate"} or not isinstance(body.get("activate", False), bool):
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", 'the body is {} or {"activate": true}')
    return bool(body.get("activate", False))
