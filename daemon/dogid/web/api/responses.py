"""JSON responses, with an ETag and gzip for clients that accept it."""

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Response, request

from dogid.web.api.endpoint import JSON

_MIN_GZIP_BYTES = 1000
"""Smaller bodies fit into one network packet anyway."""
_GZIP_LEVEL = 5
"""Level 9 makes bodies less than 1 % smaller and takes longer; level 1 makes them up to 10 % larger."""
_GZIP_TYPES = ("text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml", JSON)


_compact_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_response(document: Any, status: int = HTTPStatus.OK) -> Response:
    """Return a response with a document as its body."""
    return Response(encode_json(document), status, mimetype=JSON)


def prefers_page() -> bool:
    """Return whether a browser asks for a page at the present request's path, and not a program for JSON."""
    accepted = request.accept_mimetypes
    return bool(accepted["text/html"] > accepted[JSON])


def encode_json(document: Any) -> bytes:
    """Return a document as JSON in UTF-8, without optional white space and with a newline at the end."""
    return _compact_json(document).encode() + b"\n"


@dataclass(slots=True)
class CachedResponse:
    """A JSON body that is sent many times, compressed at most once."""

    body: bytes
    etag: str = field(init=False)
    _compressed: bytes | None = None

    def __post_init__(self) -> None:
        # weak, since the compressed and the plain body share it
        self.etag = f'W/"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    def response(self) -> Response:
        """Return a response to the present request: 304 where the client has this body already."""
        if request.if_none_match.contains_weak(self.etag[3:-1]):
            response = Response(status=HTTPStatus.NOT_MODIFIED)
        elif len(self.body) >= _MIN_GZIP_BYTES and _accepts_gzip():
            if self._compressed is None:
                self._compressed = _compress(self.body)
            response = Response(self._compressed, mimetype=JSON)
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = Response(self.body, mimetype=JSON)
        response.headers["ETag"] = self.etag
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Accept-Encoding, Authorization, Cookie"
        return response


def compress_response(response: Response) -> Response:
    """Return a response compressed, where it is text of some length and the present request accepts gzip."""
    if (
        response.mimetype not in _GZIP_TYPES
        or response.is_streamed
        or response.direct_passthrough
        or "Content-Encoding" in response.headers
        or response.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    ):
        return response
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= _MIN_GZIP_BYTES and _accepts_gzip():
        response.set_data(_compress(body))
        response.headers["Content-Encoding"] = "gzip"
        if response.headers.get("ETag", "").startswith('"'):
            response.headers["ETag"] = "W/" + response.headers["ETag"]
    return response


def _accepts_gzip() -> bool:
    return bool(request.accept_encodings["gzip"] > 0) if "Accept-Encoding" in request.headers else False


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
