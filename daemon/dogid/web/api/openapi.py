"""The OpenAPI 3.1 document, made from the declared endpoints. Source: https://spec.openapis.org/oas/v3.1.0."""

import re
from collections.abc import Iterable
from typing import Any

from dogid import __version__
from dogid.web.api.endpoint import JSON, Endpoint, Parameter, ResponseSpec
from dogid.web.api.schema_parts import reference
from dogid.web.api.schemas import COMPONENTS

_PATH_PART = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
_ERROR = {JSON: reference("Error")}

COMMON_ERRORS = {
    401: ResponseSpec("The token is missing or wrong", _ERROR),
    421: ResponseSpec("The Host header does not name this machine", _ERROR),
    429: ResponseSpec("Too many wrong tokens", _ERROR),
    503: ResponseSpec("Too many requests at once, or the ledger cannot be read", _ERROR),
}
"""Responses that any endpoint may give."""
_PARAMETER_ERRORS = {400: ResponseSpec("A parameter is not as described, or given twice", _ERROR)}


def openapi_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document that describes some endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _PATH_PART.sub(r"{\g<name>}", endpoint.rule)
        paths.setdefault(path, {})[endpoint.method.lower()] = _describe_operation(endpoint)
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


def _describe_operation(endpoint: Endpoint) -> dict[str, Any]:
    responses = COMMON_ERRORS | (_PARAMETER_ERRORS if endpoint.parameters else {}) | dict(endpoint.responses)
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.rule}").strip("_"),
        "responses": {str(status): _describe_response(spec) for status, spec in sorted(responses.items())},
    }
    parameters = [
        *_path_parameters(endpoint.rule),
        *(_describe_parameter(item, "query") for item in endpoint.parameters),
    ]
    parameters += [_describe_parameter(item, "header") for item in endpoint.headers]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body:
        content = {kind: {"schema": schema} for kind, schema in endpoint.body.items()}
        operation["requestBody"] = {"required": endpoint.needs_body, "content": content}
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


def _describe_parameter(parameter: Parameter, location: str) -> dict[str, Any]:
    described: dict[str, Any] = {"name": parameter.name, "in": location, "description": parameter.description}
    if location == "query" and not parameter.required:
        described["allowEmptyValue"] = True
    return described | {"required": parameter.required, "schema": parameter.schema}


def _describe_response(spec: ResponseSpec) -> dict[str, Any]:
    described: dict[str, Any] = {"description": spec.description}
    if spec.content:
        described["content"] = {kind: {"schema": schema} for kind, schema in spec.content.items()}
    return described
