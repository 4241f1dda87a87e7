"""Answers that are errors."""

from http import HTTPStatus


class ApiError(Exception):
    """An error for whoever asked: a status, a code for programs, a message for people."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
