"""`/learn`: a new model of what people said about photos, learned beside the running daemon."""

import json
from http import HTTPStatus
from typing import Any

from flask import Response, request

from dogid.errors import ConflictError, DogidError
from dogid.learning_run.child import LearningProcess
from dogid.learning_run.last_report import read_report
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response
from dogid.web.api.schemas import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_MAX_BODY = 100_000  # bytes, as of a review; what is longer than one word is refused with the reason
_LOST_TURN = "another learning run was under way, begun by a command, and this one learned nothing; begin it again"
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


def add_learning_endpoints(registry: EndpointRegistry, daemon: DaemonView, process: LearningProcess) -> None:
    """Add `POST /learn` and `GET /learn`; process: starts the runs."""

    def learn(params: QueryParams) -> Response:  # noqa: ARG001
        start_learning(daemon, process, activate=_read_activate())
        return json_response(describe_learning(daemon, process), HTTPStatus.ACCEPTED)

    def learning(params: QueryParams) -> Response:  # noqa: ARG001
        return json_response(describe_learning(daemon, process))

    registry.add(LEARN, learn)
    registry.add(LEARNING, learning)


def describe_learning(daemon: DaemonView, process: LearningProcess) -> dict[str, Any]:
    """Return, for JSON, whether a run is under way, and the report of the last one, or why it has none."""
    running = process.is_running(daemon.state)  # first: a run that ends meanwhile has its report
    report = read_report(daemon.state)
    error = None if report is None else report.get("error")
    if not running and (report is None or report.get("interrupted")) and (end := process.explain_end()) is not None:
        error = {"message": end}  # killed, or on a full disk
    if process.lost_its_turn():  # the report, if any, is that of the other run
        return {"running": running, "report": None if error else report, "error": {"message": _LOST_TURN}}
    return {
        "running": running,
        "report": None if error else report,
        "error": error if isinstance(error, dict) else None,
    }


def start_learning(daemon: DaemonView, process: LearningProcess, *, activate: bool) -> None:
    """Start a run. Raise ApiError where that is refused."""
    if activate and daemon.settings.model is not None:
        raise ApiError(HTTPStatus.CONFLICT, "conflict", "the settings name the model; what is activated would not run")
    try:
        process.start(daemon.settings, daemon.state, daemon.inbox, activate=activate)
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
