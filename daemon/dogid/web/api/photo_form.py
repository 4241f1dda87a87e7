"""Forms with photos: read piece by piece, and each photo is written and closed before the next one begins."""

import contextlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import IO, TYPE_CHECKING

from werkzeug.exceptions import RequestEntityTooLarge

from dogid.file_names import one_line
from dogid.inbox.incoming import IncomingPhoto, NoPhotoError
from dogid.web.api.photo_body import FIELD
from dogid.web.errors import ApiError

if TYPE_CHECKING:
    from werkzeug.sansio.multipart import Event

_MOST_PARTS = 1000
"""Photos and fields of a form: a folder of photos. Raising it lets one request write for longer, and make more files;
lowering it refuses larger folders from browsers without JavaScript."""
_MOST_BETWEEN = 500_000
"""Bytes that are kept in memory of what stands between photos, and of what is read at once."""
_PIECE = 1 << 16
"""Bytes that are read at once. Raising it takes memory; lowering it takes time."""


def write_form(stream: IO[bytes], boundary: str, begin: Callable[[], IncomingPhoto]) -> list[tuple[str, IncomingPhoto]]:
    """Write each photo of a form into one that `begin` makes, and finish it; return (name as it was sent, photo)s.

    Other fields are skipped, and so is the empty part without a name that browsers send where no file was chosen.
    Raise ApiError, TooLargeError or OSError.
    """
    from werkzeug.sansio.multipart import Data, Field, File

    photos = list[tuple[str, IncomingPhoto]]()
    parts = 0
    name: str | None = None
    photo: IncomingPhoto | None = None
    for event in _read_events(stream, boundary):
        if isinstance(event, Field | File):
            parts += 1
            if parts > _MOST_PARTS:
                message = f"a form may have at most {_MOST_PARTS} photos and fields; send the others in another"
                raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)
            name = event.filename if isinstance(event, File) and event.name == FIELD else None
            photo = None
        elif isinstance(event, Data) and name is not None:
            with naming(name):
                if event.data:
                    photo = photo or begin()
                    photo.write(event.data)
                if event.more_data:
                    continue
                if photo is not None:
                    photo.finish()
                    photos.append((name, photo))
                elif name:
                    raise NoPhotoError("the file is empty")
    return photos


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Raise ApiError, with the name, where a file is not a photo."""
    try:
        yield
    except NoPhotoError as error:
        shown = f"{one_line(name)[:200]}: " if name else ""
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", f"{shown}{error}") from error


def _read_events(stream: IO[bytes], boundary: str) -> "Iterator[Event]":
    """Yield the parts of a form, and their pieces. Raise ApiError where it is not a whole one."""
    from werkzeug.sansio.multipart import Epilogue, MultipartDecoder, NeedData

    try:
        decoder = MultipartDecoder(boundary.encode("ascii"), _MOST_BETWEEN)
        event: Event | None = None
        while boundary and not isinstance(event, Epilogue):
            decoder.receive_data(stream.read(_PIECE) or None)
            while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
                yield event
    except RequestEntityTooLarge:
        message = f"the form has more than {_MOST_BETWEEN} bytes around a photo"
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message) from None
    except ValueError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "the form cannot be read") from error
    if not boundary:
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "the form cannot be read")
