"""Responses that are errors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http import HTTPStatus  # an idle daemon needs none


class ApiError(Exception):
    """An error response: HTTP status, code for programs, message for people, and further headers."""

    def __init__(self, status: "HTTPStatus", code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def error_document(code: str, message: str) -> dict[str, dict[str, str]]:
    """Return the JSON body of an error response."""
    return {"error": {"code": code, "message": message}}
