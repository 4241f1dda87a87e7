"""HTTP responses with pictures of photos, and their caching by browsers."""

import contextlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import quote

from flask import Response, request

from dogid.decoding.byte_budget import BudgetTimeoutError
from dogid.ledger.gallery_queries import PhotoFacts
from dogid.photo import formats
from dogid.photo.formats import identify
from dogid.photo.pixels import DecodedPhoto
from dogid.web.daemon_view import DaemonView
from dogid.web.deadline_executor import BusyError
from dogid.web.pages.rendering import content_version, load_asset
from dogid.web.pages.thumbnails import LARGE, TILE, PhotoGoneError, Thumbnails

_MEDIA_TYPES = {
    formats.JPEG: "image/jpeg",
    formats.PNG: "image/png",
    formats.WEBP: "image/webp",
    formats.BMP: "image/bmp",
    formats.GIF: "image/gif",
    formats.TIFF: "image/tiff",
    formats.HEIC: "image/heic",
    formats.AVIF: "image/avif",
}
"""By the format that a file begins like: none that a browser would run."""
_CACHE_SECONDS = 86_400
"""For pictures whose URL changes with the photo. A longer time keeps pictures of deleted photos in browsers."""

_MAX_WAIT_SECONDS = 0.5
"""How long a request waits while other photos take all memory: longer keeps threads of the server from other requests,
shorter has browsers ask more often."""


class Pictures:
    """Responds with pictures of photos that are still in the inbox, unchanged."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._thumbnails = Thumbnails(
            lambda: daemon.settings.decode_timeout + 2 * _MAX_WAIT_SECONDS,
            decode=self._decode,
            file_turn=self._file_turn,
        )

    @contextlib.contextmanager
    def _file_turn(self, length: int) -> Iterator[None]:
        try:
            with self._daemon.decoder.budget.file_turn(length, _MAX_WAIT_SECONDS):
                yield
        except BudgetTimeoutError as error:
            raise BusyError from error

    def _decode(self, data: bytes, size: tuple[int, int]) -> DecodedPhoto:
        try:
            with self._daemon.in_progress.track_request():
                return self._daemon.decoder.decode(data, size, max_wait=_MAX_WAIT_SECONDS)
        except (BudgetTimeoutError, OSError) as error:  # no memory for it now
            raise BusyError from error

    def thumbnail(self, facts: PhotoFacts | None) -> Response:
        """Return a thumbnail, upright: of LARGE size where the request asks for it, else of TILE size."""
        if facts is None or facts.sha256 is None:
            return _make_placeholder()
        side = LARGE if request.args.get("size") == "large" else TILE
        inbox, max_bytes = self._daemon.inbox, self._daemon.settings.max_bytes
        tag = f"{facts.sha256}-{side}"
        response = self._respond(
            facts, tag, "image/jpeg", lambda: self._thumbnails.thumbnail(inbox, facts, side, max_bytes)
        )
        return _set_cache_control(response, content_version(facts.sha256))

    def original(self, facts: PhotoFacts | None) -> Response:
        """Return the bytes of a photo that was decoded, as they were classified."""
        if facts is None or facts.sha256 is None or facts.size is None:
            return _make_placeholder()
        inbox, max_bytes = self._daemon.inbox, self._daemon.settings.max_bytes
        response = self._respond(
            facts,
            f"{facts.sha256}-original",
            "application/octet-stream",
            lambda: self._thumbnails.original(inbox, facts, max_bytes),
        )
        if response.status_code == HTTPStatus.OK:
            response.mimetype = _MEDIA_TYPES.get(identify(response.get_data()) or "", "application/octet-stream")
            name = quote(facts.path.rpartition(b"/")[2], safe="")
            response.headers["Content-Disposition"] = f"inline; filename*=UTF-8''{name}"
        return _set_cache_control(response, content_version(facts.sha256))

    def model_input(self, facts: PhotoFacts | None) -> Response:
        """Return the exact input of the model, as a PNG."""
        size = None if facts is None else self.model_input_size(facts)
        if facts is None or facts.sha256 is None or size is None:
            return _make_placeholder()
        inbox, max_bytes = self._daemon.inbox, self._daemon.settings.max_bytes
        tag = f"{facts.sha256}-{size[0]}x{size[1]}"
        response = self._respond(
            facts, tag, "image/png", lambda: self._thumbnails.model_input(inbox, facts, size, max_bytes)
        )
        return _set_cache_control(response, content_version(facts.sha256, size))

    def model_input_size(self, facts: PhotoFacts) -> tuple[int, int] | None:
        """Return (width, height) of the input of a result's model; None where that is not the present model."""
        model = self._daemon.model
        return model.size if facts.sha256 and facts.model_sha256 == model.file.sha256 else None

    def _respond(self, facts: PhotoFacts, tag: str, media_type: str, make: Callable[[], bytes]) -> Response:
        """Return the picture, or 304 where the browser has it; a placeholder where the photo is gone or has changed."""
        try:
            not_modified = not_modified_response(tag)
            if not_modified is not None and self._thumbnails.is_unchanged(self._daemon.inbox, facts):
                response = not_modified
            else:
                response = Response(make(), mimetype=media_type)
        except PhotoGoneError:
            return _make_placeholder()
        except BusyError:
            return _make_busy_response()
        response.set_etag(tag)
        return response


def not_modified_response(tag: str) -> Response | None:
    """Return a response 304 where the present request names this ETag, else None."""
    return Response(status=HTTPStatus.NOT_MODIFIED) if request.if_none_match.contains(tag) else None


def _set_cache_control(response: Response, version: str) -> Response:
    """Let browsers cache a picture where the request's URL has the version of its content."""
    if response.status_code in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        is_versioned = request.args.get("v") == version
        cache = f"private, max-age={_CACHE_SECONDS}" if is_versioned else "private, no-cache"
        response.headers["Cache-Control"] = cache
    return response


def _make_placeholder() -> Response:
    """Return status 404 with a drawing, which browsers show in the place of the photo."""
    data, media_type, _ = load_asset("gone.svg")
    response = Response(data, HTTPStatus.NOT_FOUND, mimetype=media_type)
    response.headers["Cache-Control"] = "no-store"
    return response


def _make_busy_response() -> Response:
    response = Response("busy: other pictures are being made; try again", HTTPStatus.SERVICE_UNAVAILABLE)
    response.mimetype = "text/plain"
    response.headers["Retry-After"] = "1"
    response.headers["Cache-Control"] = "no-store"
    return response
