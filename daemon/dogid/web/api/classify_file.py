"""`/?file=NAME`: a photo in the inbox is classified again; the response is a list of labels and one of scores."""

import contextlib
import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from flask import Response, request

from dogid.conditions import inbox_hangs
from dogid.decoding.byte_budget import BudgetTimeoutError
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
                timeout = self._daemon.settings.decode_timeout
                file, size = reading.run(lambda: _open_file(self._daemon, name), timeout)
                with contextlib.ExitStack() as turn:
                    try:
                        turn.enter_context(self._daemon.decoder.budget.file_turn(size, _MAX_WAIT_SECONDS))
                    except BudgetTimeoutError:
                        reading.run(file.close, timeout)  # which may hang, too
                        raise
                    data = reading.run(lambda: _read_and_close(self._daemon, file, size), timeout)
                    with self._classifier.slot() as slot:
                        classification = self._classifier.classify(data, slot)
        except HungError:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy", inbox_hangs(self._daemon.inbox), {"Retry-After": "10"}
            ) from None
        except BudgetTimeoutError:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                "another large file is in memory; try again",
                {"Retry-After": "1"},
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


def _open_file(daemon: DaemonView, name: bytes) -> tuple[BinaryIO, int]:
    """Open a file in the inbox, named by a relative or an absolute path; return it and its size. Raise ApiError."""
    limit = daemon.settings.max_bytes
    with _refusing_files(daemon):
        with open_root(daemon.inbox) as root:
            descriptor = _open_shown(root, name)
        file = os.fdopen(descriptor, "rb")
        size = os.fstat(descriptor).st_size
    if size > limit:
        file.close()
        message = f"{size} bytes; at most {limit} are read (max_bytes)"
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, PhotoCode.TOO_LARGE, message)
    return file, size


def _read_and_close(daemon: DaemonView, file: BinaryIO, size: int) -> bytes:
    """Return the first size bytes of a file of the inbox: it may be growing. Raise ApiError."""
    with _refusing_files(daemon), file:
        return file.read(size)


@contextlib.contextmanager
def _refusing_files(daemon: DaemonView) -> Iterator[None]:
    """Raise the ApiError for an error of opening or reading a file of the inbox in the context."""
    unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        yield
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
