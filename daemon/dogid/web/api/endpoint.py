"""The interface as data: each route is declared once, with its parameters and answers.

From the declaration come the route, the check of what a request gives, and the OpenAPI document.
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
"""A JSON Schema (draft 2020-12, as OpenAPI 3.1 has it)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a query may say. An empty value counts as none, as forms send it."""

    name: str
    text: str
    low: int | None = None
    """With high: the parameter is a whole number within these bounds."""
    high: int | None = None
    choices: tuple[str, ...] = ()
    default: int | None = None
    required: bool = False

    def read(self) -> int | str | None:
        """Return what the request gives. Raise ApiError where it is not what was declared."""
        given = request.args.getlist(self.name)
        if len(given) > 1:
            raise self._wrong("may be given once")
        if not given or given[0] == "":
            return self.default
        text = given[0]
        if self.high is not None:
            return self._number(text)
        if self.choices and text not in self.choices:
            raise self._wrong(f"must be one of {', '.join(self.choices)}")
        return text

    def _number(self, text: str) -> int:
        low, high = self.low or 0, self.high or 0
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise self._wrong(f"must be a whole number from {low} to {high}")
        return int(text)

    def _wrong(self, rule: str) -> ApiError:
        return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", f"{self.name} {rule}")

    @property
    def schema(self) -> Schema:
        """The values that are taken."""
        if self.high is not None:
            number: dict[str, Any] = {"type": "integer", "minimum": self.low, "maximum": self.high}
            if self.default is not None:
                number["default"] = self.default
            return number
        return {"type": "string", "enum": list(self.choices)} if self.choices else {"type": "string"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a route answers."""

    text: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    """Schemas by media type."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route, as it is documented."""

    method: str
    rule: str
    """Flask's: `/results/<int:id>`."""
    summary: str
    answers: Mapping[int, Answer]
    parameters: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    """Request headers with a meaning of their own here."""
    body: Mapping[str, Schema] = field(default_factory=dict)
    """What is sent, by media type."""


Given = dict[str, Any]
"""The values of an endpoint's parameters, checked."""

View = Callable[..., AnyResponse]
"""Takes Given and, by name, the parts of the path."""


class Interface:
    """All endpoints of an application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.endpoints: list[Endpoint] = []

    def add(self, endpoint: Endpoint, view: View) -> None:
        """Answer an endpoint by a view."""
        self.endpoints.append(endpoint)

        def answer(**path: Any) -> AnyResponse:
            given = {parameter.name: parameter.read() for parameter in endpoint.parameters}
            return view(given, **path)

        name = f"{endpoint.method} {endpoint.rule}".replace(".", "-")
        self._app.add_url_rule(endpoint.rule, name, answer, methods=[endpoint.method])
