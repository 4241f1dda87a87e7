"""`/?file=NAME`: a photo in the inbox is classified again; the response is a list of labels and one of scores."""

import contextlib
import os
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from flask import Response, request

from dogid.conditions import inbox_hangs
from dogid.errors import PhotoCode
from dogid.file_names import possible_names, shown_name
from dogid.inbox.inbox_condition import inbox_problem
from dogid.inbox.safe_open import NotAFileError, OutsideError, Root, open_beneath, open_root
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.api.responses import json_response
from dogid.web.daemon_view import DaemonView
from dogid.web.deadline_executor import BusyError, DeadlineExecutor, HungError
from dogid.web.errors import ApiError

_MAX_WAIT_SECONDS = 2.0
"""How long a request waits while another file is read: longer keeps threads of the server, and people, waiting."""
_MAX_WAITING = 1
"""Requests that wait; each holds one of the server's few threads, which other requests need too."""


class FileClassifier:
    """Reads a file of the inbox for a request, then classifies it: an inbox that hangs keeps no classifier waiting."""

    def __init__(self, daemon: DaemonView, classifier: OnDemandClassifier) -> None:
        self._daemon = daemon
        self._classifier = classifier
        self._reading = DeadlineExecutor("read for /?file=", max_wait=_MAX_WAIT_SECONDS, max_waiting=_MAX_WAITING)

    def classify(self) -> Response:
        """Return labels and probabilities, both in the model's label order, of the file that the request names."""
        name = _raw_param("file")
        try:
            with self._reading.slot() as reading:  # until the end, so that one file at a time is in memory
                data = reading.run(lambda: _read(self._daemon, name), self._daemon.settings.decode_timeout)
                with self._classifier.slot() as slot:
                    classification = self._classifier.classify(data, slot)
        except HungError:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy", inbox_hangs(self._daemon.inbox), {"Retry-After": "10"}
            ) from None
        except BusyError:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                "other files are being read, or the inbox does not answer; try again",
                {"Retry-After": "1"},
            ) from None
        return json_response([list(classification.labels), [float(score) for score in classification.scores]])


def _raw_param(key: str) -> bytes:
    """Return a query parameter as bytes: file names need not be UTF-8, and Flask would replace what is not."""
    for part in request.query_string.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == key.encode():
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""


def _read(daemon: DaemonView, name: bytes) -> bytes:
    """Return the bytes of a file in the inbox, named by a relative or an absolute path. Raise ApiError."""
    unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
    limit = daemon.settings.max_bytes
    try:
        with open_root(daemon.inbox) as root:
            descriptor = _open_shown(root, name)
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            data = file.read() if size <= limit else b""
    except OutsideError as error:
        raise ApiError(HTTPStatus.FORBIDDEN, "outside", "the file lies outside the inbox") from error
    except NotAFileError as error:
        raise ApiError(unprocessable, PhotoCode.UNSUPPORTED, "not a regular file") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        problem = inbox_problem(daemon.inbox)
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", problem or "there is no such file in the inbox") from error
    except OSError as error:
        problem = inbox_problem(daemon.inbox) or f"the file cannot be read: {error.strerror}"
        raise ApiError(unprocessable, PhotoCode.UNREADABLE, problem) from error
    if size > limit:
        raise ApiError(unprocessable, PhotoCode.TOO_LARGE, f"{size} bytes; at most {limit} are read (max_bytes)")
    return data


def _open_shown(root: Root, name: bytes) -> int:
    """Open a file by the form of its name that /results shows, or by its name. Raise as `open_beneath` does."""
    first = possible_names(name.decode("utf-8", "surrogateescape"))[0]
    if first != name and shown_name(first).encode() == name:  # else it is another program's encoding of a name
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return _open(root, first)
    return _open(root, name)


def _open(root: Root, name: bytes) -> int:
    if b"\0" in name:
        raise FileNotFoundError
    return open_beneath(root, root.relative(name) if name.startswith(b"/") else name)
