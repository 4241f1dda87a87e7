"""`/?file=NAME`: a photo of the inbox classified anew, in the form of the article that dogid grew from."""

import os
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from flask import Response, request

from dogid.errors import PhotoCode
from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.api.responses import as_json
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError


def article_answer(daemon: DaemonView, asked: OnDemandClassifier) -> Response:
    """Return labels and probabilities, both in the model's label order, of the file that the request names."""
    name = _raw_argument("file")
    with asked.turn():
        answer = asked.answer(_read(daemon, name))
    return as_json([list(answer.labels), [float(score) for score in answer.scores]])


def _raw_argument(key: str) -> bytes:
    """A query argument's own bytes: file names need not be UTF-8, and Flask would replace what is not."""
    for part in request.query_string.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == key.encode():
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""


def _read(daemon: DaemonView, name: bytes) -> bytes:
    """The bytes of the file that a request names: inside the inbox, also by an absolute path. Raise ApiError."""
    unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
    limit = daemon.settings.max_bytes
    try:
        if b"\0" in name:
            raise FileNotFoundError
        with open_root(daemon.inbox) as root:
            descriptor = open_beneath(root, root.relative(name) if name.startswith(b"/") else name)
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            data = file.read() if size <= limit else b""
    except OutsideError as error:
        raise ApiError(HTTPStatus.FORBIDDEN, "outside", "the file lies outside the inbox") from error
    except NotAFileError as error:
        raise ApiError(unprocessable, PhotoCode.UNSUPPORTED, "not a regular file") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "there is no such file in the inbox") from error
    except OSError as error:
        raise ApiError(unprocessable, PhotoCode.UNREADABLE, f"the file cannot be read: {error.strerror}") from error
    if size > limit:
        raise ApiError(unprocessable, PhotoCode.TOO_LARGE, f"{size} bytes; at most {limit} are read (max_bytes)")
    return data
