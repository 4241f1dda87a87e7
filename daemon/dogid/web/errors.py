"""Answers that are errors."""

from collections.abc import Mapping
from http import HTTPStatus


class ApiError(Exception):
    """An error for whoever asked: a status, a code for programs, a message for people, headers that belong to it."""

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def error_document(code: str, message: str) -> dict[str, dict[str, str]]:
    """Return the body that every error of the interface has."""
    return {"error": {"code": code, "message": message}}
