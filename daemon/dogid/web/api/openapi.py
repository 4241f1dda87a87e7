"""The OpenAPI 3.1 document, made from the declared endpoints. Source: https://spec.openapis.org/oas/v3.1.0."""

import re
from collections.abc import Iterable
from typing import Any

from dogid import __version__
from dogid.web.api.endpoint import JSON, Answer, Endpoint, Parameter
from dogid.web.api.schemas import COMPONENTS, reference

_PATH_PART = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
_ERROR = {JSON: reference("Error")}

COMMON_ERRORS = {
    401: Answer("A token is needed, and missing or wrong", _ERROR),
    421: Answer("The Host header does not name this machine", _ERROR),
    429: Answer("Too many wrong tokens", _ERROR),
    503: Answer("Too much at once, or the ledger cannot be read", _ERROR),
}
"""What any endpoint may answer."""
_PARAMETER_ERROR = {400: Answer("A parameter is not as described, or given twice", _ERROR)}


def openapi_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Given endpoints, return the document that describes them."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _PATH_PART.sub(r"{\g<name>}", endpoint.rule)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dogid", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    answers = COMMON_ERRORS | (_PARAMETER_ERROR if endpoint.parameters else {}) | dict(endpoint.answers)
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.rule}").strip("_"),
        "responses": {str(status): _response(answer) for status, answer in sorted(answers.items())},
    }
    parameters = [*_path_parameters(endpoint.rule), *(_given(item, "query") for item in endpoint.parameters)]
    parameters += [_given(item, "header") for item in endpoint.headers]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body:
        content = {kind: {"schema": schema} for kind, schema in endpoint.body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(rule: str) -> list[dict[str, Any]]:
    return [
        {
            "name": part["name"],
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1} if part["kind"] == "int" else {"type": "string"},
        }
        for part in _PATH_PART.finditer(rule)
    ]


def _given(parameter: Parameter, place: str) -> dict[str, Any]:
    described: dict[str, Any] = {"name": parameter.name, "in": place, "description": parameter.text}
    if place == "query" and not parameter.required:
        described["allowEmptyValue"] = True
    return described | {"required": parameter.required, "schema": parameter.schema}


def _response(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.text}
    if answer.content:
        response["content"] = {kind: {"schema": schema} for kind, schema in answer.content.items()}
    return response
