"""`POST /upload`: photos that are kept in the inbox, where the setting `allow_upload` is on."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from dogid.conditions import find_unit, inbox_unwritable
from dogid.file_names import one_line
from dogid.inbox.incoming import IncomingPhoto, NoPhotoError, TooLargeError, free_bytes, remove_abandoned
from dogid.inbox.safe_open import Root, open_root
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response, prefers_page
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.deadline_executor import BusyError, DeadlineExecutor
from dogid.web.errors import ApiError
from dogid.web.server.limits import BODY_ALLOWANCE

ALLOWS_UPLOAD = "DOGID_ALLOWS_UPLOAD"
"""Key of the application's configuration: whether pages lead to the one for uploads."""
_FORM = "multipart/form-data"
_BINARY = "application/octet-stream"
_FIELD = "file"
_FORM_MEMORY = 500_000
"""Bytes of what a form has beside photos, and of what is read of it at once, which is 64 KiB."""
_MOST_PARTS = 1000
"""Files and fields of a form: as many as a browser sends of a whole folder of photos."""
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
_PHOTO = {"type": "string", "contentMediaType": _BINARY, "minLength": 1}

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
        _FORM: {"type": "object", "properties": {_FIELD: {"type": "array", "items": _PHOTO}}, "required": [_FIELD]},
        "image/*": _PHOTO,
        _BINARY: _PHOTO,
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
        self._is_tidy = False

    def store(self, name: str) -> list[StoredPhoto]:
        """Keep the photos of the present request, all or none; name: of the one that is its body. Raise ApiError."""
        request.max_content_length = self._limit + BODY_ALLOWANCE
        body = _Body(request.mimetype, dict(request.mimetype_params), request.content_length or 0, request.stream)
        if body.mimetype != _FORM:
            if not (body.mimetype in ("", _BINARY) or body.mimetype.startswith("image/")):
                raise ApiError(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    "unsupported_media_type",
                    f"{one_line(body.mimetype)[:80]} is not a photo; send photos as the field `file` of a form, or one"
                    " as an image",
                )
            # the server has the whole body already, within its limit
            body = _Body(body.mimetype, {}, body.length, request.environ["wsgi.input"])
        incoming = list[IncomingPhoto]()
        try:
            return self._executor.run(lambda: self._store(body, name, incoming), _WRITE_SECONDS)
        except BusyError:
            for photo in incoming:
                photo.is_cancelled = True
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy", "other photos are being stored; try again", {"Retry-After": "1"}
            ) from None
        except TooLargeError:
            raise ApiError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"a photo may have at most {self._limit} bytes (max_upload)",
            ) from None
        except OSError as error:
            raise self._explain(error) from error

    def _store(self, body: "_Body", name: str, incoming: list[IncomingPhoto]) -> list[StoredPhoto]:
        """Write the photos of a body into the inbox, and add each to incoming as it begins."""
        with open_root(self._daemon.inbox) as root, _discarding(incoming):
            if not self._is_tidy:
                remove_abandoned(root)
                self._is_tidy = True
            self._check_room(root, body.length)
            sent = body.write(name, lambda: _begin(root, self._limit, incoming))
            if not sent:
                raise ApiError(HTTPStatus.BAD_REQUEST, "no_photo", "no photo was sent: curl --form file=@photo.jpg")
            for one, photo in sent:
                with _naming(one):
                    photo.check()
            return self._keep(sent)

    def _keep(self, sent: list[tuple[str, IncomingPhoto]]) -> list[StoredPhoto]:
        """Give all photos their names in the inbox. Raise ApiError where that fails after the first of them."""
        stored = list[StoredPhoto]()
        for name, photo in sent:
            try:
                stored.append(StoredPhoto(name, photo.keep(name)))
            except OSError as error:
                if not stored:
                    raise
                raise self._explain(error, f"; {len(stored)} of {len(sent)} photos are kept") from error
        return stored

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

    mimetype: str
    options: dict[str, str]
    length: int
    stream: IO[bytes]

    def write(self, name: str, begin: Callable[[], IncomingPhoto]) -> list[tuple[str, IncomingPhoto]]:
        """Write each photo into one that `begin` makes; return (name as it was sent, photo) of each that is not empty.

        name: of a photo that is the whole body. Raise ApiError, TooLargeError or OSError.
        """
        if self.mimetype == _FORM:
            return self._write_form(begin)
        photo = begin()
        with _naming(name):
            while piece := self.stream.read(_PIECE):
                photo.write(piece)
        return [(name, photo)] if photo.size else []

    def _write_form(self, begin: Callable[[], IncomingPhoto]) -> list[tuple[str, IncomingPhoto]]:
        from werkzeug.formparser import FormDataParser

        def begin_file(
            total_content_length: int | None,  # noqa: ARG001  # werkzeug gives all by name
            content_type: str | None,  # noqa: ARG001
            filename: str | None,
            content_length: int | None = None,  # noqa: ARG001
        ) -> Any:
            return _NamedPart(filename or "", begin())

        parser = FormDataParser(
            stream_factory=begin_file,
            max_form_memory_size=_FORM_MEMORY,
            max_form_parts=_MOST_PARTS,
            silent=False,
        )
        try:
            _, _, files = parser.parse(self.stream, self.mimetype, self.length, self.options)
        except RequestEntityTooLarge as error:
            raise TooLargeError from error
        except ValueError as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "the form cannot be read") from error
        parts: list[Any] = [file.stream for file in files.getlist(_FIELD)]
        return [(part.name, part.photo) for part in parts if part.photo.size]


class _NamedPart:
    """A file of a form, as werkzeug writes it."""

    def __init__(self, name: str, photo: IncomingPhoto) -> None:
        self.name, self.photo = name, photo

    def write(self, piece: bytes) -> int:
        with _naming(self.name):
            return self.photo.write(piece)

    def seek(self, position: int) -> None:
        """Do nothing: it is not read again."""

    def close(self) -> None:
        """Do nothing: `_discarding` closes the photo."""


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


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Raise ApiError, with the name, where a file is not a photo."""
    try:
        yield
    except NoPhotoError as error:
        shown = f"{one_line(name)[:200]}: " if name else ""
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", f"{shown}{error}") from error
