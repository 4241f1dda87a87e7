"""`POST /upload`: photos that are kept in the inbox, where the setting `allow_upload` is on."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO

from flask import Response, request

from dogid.conditions import find_unit, inbox_hangs_while_storing, inbox_unwritable
from dogid.file_names import one_line
from dogid.inbox.incoming import IncomingPhoto, PartlyKeptError, TooLargeError, free_bytes, keep_all
from dogid.inbox.safe_open import Root, open_root
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.photo_body import BINARY, FIELD, FORM, is_form
from dogid.web.api.photo_form import naming, write_form
from dogid.web.api.responses import json_response, prefers_page
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.deadline_executor import BusyError, DeadlineExecutor, HungError
from dogid.web.errors import ApiError

ALLOWS_UPLOAD = "DOGID_ALLOWS_UPLOAD"
"""Key of the application's configuration: whether pages lead to the one for uploads."""
_KEPT_FREE = 100_000_000
"""Bytes of the inbox's disk that uploads leave free: often the ledger and the system live on it, too. Raising it
refuses uploads earlier; lowering it lets uploads fill the disk, and then nothing can be written any more."""
_PIECE = 1 << 18
"""Bytes that are copied at once. Raising it takes memory; lowering it takes time."""
_WRITE_SECONDS = 60.0
"""For writing what was received. Raising it keeps a thread of the server for longer while the inbox's disk hangs;
lowering it refuses large photos on slow memory cards."""
_MAX_WAIT_SECONDS = 5.0
"""How long an upload waits while others are written."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_ERROR = {JSON: reference("Error")}
_PHOTO = {"type": "string", "contentMediaType": BINARY, "minLength": 1}

UPLOAD = Endpoint(
    "POST",
    "/upload",
    "Keep photos in the inbox, where they are classified as all others; needs the setting `allow_upload`",
    {
        201: ResponseSpec(
            "The photos are in the inbox, by these names; to browsers, the page",
            {JSON: reference("Stored"), "text/html": {"type": "string"}},
        ),
        400: ResponseSpec("The request has no photo", _ERROR),
        403: ResponseSpec("The setting is off, or sent by a page of another site", _ERROR),
        413: ResponseSpec("More bytes than max_upload", _ERROR),
        415: ResponseSpec("A file is not a photo: none is kept", _ERROR),
        507: ResponseSpec("The disk of the inbox, or of the temporary folder, has no room: none is kept", _ERROR),
    },
    parameters=(Parameter("name", "the photo's name, where it is the body"),),
    body={
        FORM: {"type": "object", "properties": {FIELD: {"type": "array", "items": _PHOTO}}, "required": [FIELD]},
        "image/*": _PHOTO,
        BINARY: _PHOTO,
    },
)


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo that is kept."""

    name: str
    """As it was sent."""
    file: str
    """Its name in the inbox."""


UploadPage = Callable[[list[StoredPhoto]], Response]
"""Given the photos that a form brought, returns the page that shows them."""
RefusalPage = Callable[[ApiError], Response]
"""Given why a form was refused, returns the page that says so."""


def add_upload_endpoint(registry: EndpointRegistry, daemon: DaemonView, page: UploadPage, refusal: RefusalPage) -> None:
    """Add `POST /upload`; page, refusal: what browsers get."""
    inbox = _UploadInbox(daemon)

    def upload(params: QueryParams) -> Response:
        try:
            response = store(params)
        except ApiError as error:
            if not prefers_page():
                raise
            response = refusal(error)
        response.vary.add("Accept")
        return response

    def store(params: QueryParams) -> Response:
        if not daemon.settings.allow_upload:
            raise ApiError(
                HTTPStatus.FORBIDDEN, "upload_off", "photos are not kept here: the setting allow_upload is off"
            )
        stored = inbox.store(params["name"] or "")
        if prefers_page():
            response = page(stored)
        else:
            response = json_response({"stored": [{"name": one.name, "file": one.file} for one in stored]})
        response.status_code = HTTPStatus.CREATED
        return response

    registry.add(UPLOAD, upload)


class _UploadInbox:
    """Keeps what requests bring in the inbox; where its disk hangs, in a thread that is not the server's."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._limit = daemon.settings.max_upload
        self._executor = DeadlineExecutor("uploads", max_wait=_MAX_WAIT_SECONDS, threads=2, max_waiting=1)

    def store(self, name: str) -> list[StoredPhoto]:
        """Keep the photos of the present request, all or none; name: of the one that is its body. Raise ApiError."""
        limit = self._limit
        if is_form(limit):
            body = _Body(request.mimetype_params.get("boundary", ""), request.content_length or 0, request.stream)
        else:
            # the server has the whole body already, within its limit
            body = _Body(None, request.content_length or 0, request.environ["wsgi.input"])
        incoming = list[IncomingPhoto]()
        try:
            return self._executor.run(lambda: self._store(body, name, incoming), _WRITE_SECONDS)
        except HungError:
            for photo in tuple(incoming):
                photo.is_cancelled = True
            message = inbox_hangs_while_storing(self._daemon.inbox)
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "inbox_hangs", message) from None
        except BusyError:
            message = "other photos are being stored, or the inbox does not answer; try again"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", message, {"Retry-After": "1"}) from None
        except TooLargeError:
            raise ApiError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"a photo may have at most {limit} bytes (max_upload)",
            ) from None
        except OSError as error:
            raise self._explain(error) from error

    def _store(self, body: "_Body", name: str, incoming: list[IncomingPhoto]) -> list[StoredPhoto]:
        """Write the photos of a body into the inbox, and add each to incoming as it begins."""
        with open_root(self._daemon.inbox) as root, _discarding(incoming):
            self._check_room(root, body.length)
            sent = body.write(name, lambda: _begin(root, self._limit, incoming))
            if not sent:
                raise ApiError(HTTPStatus.BAD_REQUEST, "no_photo", "no photo was sent: curl --form file=@photo.jpg")
            self._check_room(root, 0)  # others were written meanwhile
            try:
                files = keep_all(root, sent)
            except PartlyKeptError as error:
                raise self._explain(error.cause, f"; {error.kept} of {len(sent)} photos are kept") from error
            return [StoredPhoto(one, file) for (one, _), file in zip(sent, files, strict=True)]

    def _check_room(self, root: Root, length: int) -> None:
        free = free_bytes(root)
        if free - length < _KEPT_FREE:
            raise ApiError(
                HTTPStatus.INSUFFICIENT_STORAGE,
                "insufficient_storage",
                f"{self._daemon.inbox}: only {free // 1_000_000} MB are free on its disk, of which uploads leave"
                f" {_KEPT_FREE // 1_000_000}; make room there",
            )

    def _explain(self, error: OSError, more: str = "") -> ApiError:
        status = HTTPStatus.INSUFFICIENT_STORAGE if error.errno in _FULL else HTTPStatus.SERVICE_UNAVAILABLE
        code = "insufficient_storage" if error.errno in _FULL else "inbox_unwritable"
        unit = find_unit(self._daemon.state)
        return ApiError(status, code, one_line(inbox_unwritable(self._daemon.inbox, error, unit)) + more)


@dataclass(frozen=True, slots=True)
class _Body:
    """The body of a request, apart from the request, which belongs to another thread."""

    boundary: str | None
    """Between the parts of a form; None where the body is one photo."""
    length: int
    stream: IO[bytes]

    def write(self, name: str, begin: Callable[[], IncomingPhoto]) -> list[tuple[str, IncomingPhoto]]:
        """Write each photo into one that `begin` makes, and finish it; return (name as it was sent, photo) of each.

        name: of a photo that is the whole body. Raise ApiError, TooLargeError or OSError.
        """
        if self.boundary is not None:
            return write_form(self.stream, self.boundary, begin)
        photo = begin()
        with naming(name):
            while piece := self.stream.read(_PIECE):
                photo.write(piece)
            if photo.size:
                photo.finish()
        return [(name, photo)] if photo.size else []


def _begin(root: Root, limit: int, incoming: list[IncomingPhoto]) -> IncomingPhoto:
    photo = IncomingPhoto(root, limit)
    incoming.append(photo)
    return photo


@contextlib.contextmanager
def _discarding(incoming: list[IncomingPhoto]) -> Iterator[None]:
    try:
        yield
    finally:
        for photo in incoming:
            photo.discard()
