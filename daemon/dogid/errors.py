"""Errors shown to users: each states what is wrong, and how to fix it."""

from enum import StrEnum


class DogidError(Exception):
    """An error that the user can fix. Its text names the file or setting, the reason and the way out."""

    exit_status = 1


class UsageError(DogidError):
    """Wrong flags, settings, or files that they name (exit status 2)."""

    exit_status = 2


class ConflictError(UsageError):
    """What is asked for cannot be done as things are, and may be later."""


class UnavailableError(UsageError):
    """A folder that cannot be used: named wrongly, or on a disk that is missing or full for now.

    For a person it is wrong usage; a service manager tries again.
    """


class PhotoCode(StrEnum):
    """Why a photo has no label. The values are part of the public interface."""

    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    VANISHED = "vanished"
    INTERNAL = "internal"
    """A fault of dogid or of the model."""


class PhotoError(Exception):
    """A photo that cannot be classified, with a code and a message for people."""

    def __init__(self, code: PhotoCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
