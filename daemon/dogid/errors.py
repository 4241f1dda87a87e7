"""The errors that reach a user: each says what is wrong, and what to do about it."""

from enum import StrEnum


class DogidError(Exception):
    """Something the user can mend. Its text names the thing, the reason and the way out."""

    exit_status = 1


class UsageError(DogidError):
    """Wrong flags, settings or files named by them: the command has not begun (exit status 2)."""

    exit_status = 2


class PhotoCode(StrEnum):
    """Why a photo has no label. The values are part of the public interface."""

    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    VANISHED = "vanished"


class PhotoError(Exception):
    """A photo that cannot be classified as it is."""

    def __init__(self, code: PhotoCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
