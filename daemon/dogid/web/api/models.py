"""`/models`, `/models/NAME/activate` and `/rollback`: the shelf, and which model on it is active."""

import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus

from flask import Response

from dogid.errors import ConflictError, DogidError
from dogid.shelf.listing import ListedModel, describe_choice, list_models
from dogid.shelf.open_model import UnknownModelError
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response, prefers_page
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_ERROR = {JSON: reference("Error")}
_MODELS = ResponseSpec("All models, the active one first", {JSON: reference("Models")})
_LISTED = ResponseSpec(
    "All models, the active one first, or the page", {JSON: reference("Models"), "text/html": {"type": "string"}}
)
_CHANGE_ERRORS = {
    403: ResponseSpec("Sent by a page of another site", _ERROR),
    409: ResponseSpec("The settings name the model, another one is being tried, or there is none before", _ERROR),
    422: ResponseSpec("The model cannot run; the former one goes on", _ERROR),
}

MODELS = Endpoint(
    "GET", "/models", "The models on the shelf, and which one is active; to browsers, the page", {200: _LISTED}
)
ACTIVATE = Endpoint(
    "POST",
    "/models/<name>/activate",
    "Have a model of the shelf classify from now on, once every worker has proved it",
    {200: _MODELS, 404: ResponseSpec("There is no such model on the shelf", _ERROR), **_CHANGE_ERRORS},
)
ROLLBACK = Endpoint(
    "POST",
    "/rollback",
    "Have the model before the active one be active again",
    {200: _MODELS, **_CHANGE_ERRORS},
)


ModelsPage = Callable[[Sequence[ListedModel]], Response]
"""Given the models of the shelf, returns the page that shows them."""


def add_models_endpoints(registry: EndpointRegistry, daemon: DaemonView, page: ModelsPage) -> None:
    """Add `/models`, `/models/NAME/activate` and `/rollback`; page: what browsers get at the first."""
    reading = threading.Lock()

    def read() -> list[ListedModel]:
        with reading:  # each list reads all files: several at once would take memory for all of them
            return list_models(daemon.state)

    def models(params: QueryParams) -> Response:  # noqa: ARG001
        response = page(read()) if prefers_page() else json_response(_document(daemon, read()))
        response.vary.add("Accept")
        return response

    def activate(params: QueryParams, *, name: str) -> Response:  # noqa: ARG001
        change_model(lambda: daemon.activate_model(name))
        return json_response(_document(daemon, read()))

    def roll_back(params: QueryParams) -> Response:  # noqa: ARG001
        change_model(daemon.roll_back_model)
        return json_response(_document(daemon, read()))

    registry.add(MODELS, models)
    registry.add(ACTIVATE, activate)
    registry.add(ROLLBACK, roll_back)


def _document(daemon: DaemonView, models: list[ListedModel]) -> dict[str, object]:
    file = daemon.model.file
    running = {"name": file.name, **describe_choice(daemon.found_model, file)}
    return {"models": [model.document() for model in models], "running": running}


def change_model(task: Callable[[], None]) -> None:
    """Change the model. Raise ApiError where that is refused."""
    try:
        task()
    except UnknownModelError as error:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", str(error)) from error
    except ConflictError as error:
        raise ApiError(HTTPStatus.CONFLICT, "conflict", str(error)) from error
    except DogidError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "model_refused", str(error)) from error
