"""Endpoints as data: each is declared once, with its parameters and responses.

From the declaration come the route, the validation of a request's parameters, and the OpenAPI document.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response as AnyResponse

from dogid.web.errors import ApiError

JSON = "application/json"

Schema = Mapping[str, Any]
"""A JSON Schema (draft 2020-12, as in OpenAPI 3.1)."""

_MAX_DIGITS = 19
"""Of the largest 64-bit integer; longer numbers are rejected unparsed, as parsing takes quadratic time."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. An empty value counts as none, since forms send one for an empty field."""

    name: str
    description: str
    minimum: int | None = None
    maximum: int | None = None
    """With a maximum, the parameter is an integer, else a string."""
    choices: tuple[str, ...] = ()
    """The values that are allowed; any where there are none."""
    default: int | None = None
    required: bool = False
    read: Callable[[str], Any] | None = None
    """Returns the value of a text that is neither an integer nor one of a few; raises ValueError, with the rule."""
    text_schema: Schema = field(default_factory=lambda: {"type": "string"})
    """The texts that are allowed, where there are no other rules."""

    def value(self) -> Any:
        """Return the present request's value. Raise ApiError where it is not as declared."""
        values = request.args.getlist(self.name)
        if len(values) > 1:
            raise self._error("may be given once")
        if not values or values[0] == "":
            return self.default
        text = values[0]
        if self.maximum is not None:
            return self.parse_integer(text)
        if self.choices and text not in self.choices:
            raise self._error(f"must be one of {', '.join(self.choices)}")
        if self.read is None:
            return text
        try:
            return self.read(text)
        except ValueError as error:
            raise self._error(f"is wrong: {error}") from error

    def parse_integer(self, text: str) -> int:
        """Return an integer within the bounds. Raise ApiError where the text is none."""
        low, high = self.minimum or 0, self.maximum or 0
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and low <= int(text) <= high):
            raise self._error(f"must be a whole number from {low} to {high}")
        return int(text)

    def _error(self, rule: str) -> ApiError:
        return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", f"{self.name} {rule}")

    @property
    def schema(self) -> Schema:
        """The values that are allowed."""
        if self.maximum is not None:
            number: dict[str, Any] = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
            if self.default is not None:
                number["default"] = self.default
            return number
        return {"type": "string", "enum": list(self.choices)} if self.choices else self.text_schema


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """One of an endpoint's responses, as it is documented."""

    description: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    """Schemas of the body by media type."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path, as they are documented."""

    method: str
    rule: str
    """The path in Flask's form: `/results/<int:id>`."""
    summary: str
    responses: Mapping[int, ResponseSpec]
    """By HTTP status."""
    parameters: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    """Request headers that the endpoint reads."""
    body: Mapping[str, Schema] = field(default_factory=dict)
    """Schemas of the request's body by media type."""
    needs_body: bool = True
    """Whether a request without the body is an error."""
    rejects_unknown: bool = False
    """Whether a query parameter that is not declared is an error. Programs add one to keep caches from answering."""


QueryParams = dict[str, Any]
"""Validated values of an endpoint's parameters by name."""

ViewFunction = Callable[..., AnyResponse]
"""Takes QueryParams and, as keywords, the variable parts of the path."""


class EndpointRegistry:
    """All endpoints of an application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.endpoints: list[Endpoint] = []

    def add(self, endpoint: Endpoint, view: ViewFunction) -> None:
        """Route an endpoint to a view, which is called with validated parameters only."""
        self.endpoints.append(endpoint)

        def validate_and_view(**path: Any) -> AnyResponse:
            if endpoint.rejects_unknown:
                _reject_unknown_parameters(endpoint)
            return view({parameter.name: parameter.value() for parameter in endpoint.parameters}, **path)

        name = f"{endpoint.method} {endpoint.rule}".replace(".", "-")
        self._app.add_url_rule(endpoint.rule, name, validate_and_view, methods=[endpoint.method])


def _reject_unknown_parameters(endpoint: Endpoint) -> None:
    """Raise ApiError, which names the known ones, where the present request has a parameter that is not declared."""
    known = [parameter.name for parameter in endpoint.parameters]
    unknown = next((name for name in request.args if name not in known), None)
    if unknown is not None:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "bad_request",
            f"there is no parameter {unknown!r}; parameters are {', '.join(known)}",
        )
