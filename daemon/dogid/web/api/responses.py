"""Making JSON answers: readable names, an ETag, and gzip for those who take it."""

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Response, request

from dogid.web.api.endpoint import JSON

_WORTH_PACKING = 1000  # bytes; smaller answers fit into one packet anyway
_LEVEL = 5
_PACKED_TYPES = ("text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml", JSON)


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_json(document: Any, status: int = HTTPStatus.OK) -> Response:
    """Return a document as an answer."""
    return Response(encode(document), status, mimetype=JSON)


def encode(document: Any) -> bytes:
    """Return JSON with names as people write them, and without white space that nobody reads."""
    return _as_json(document).encode() + b"\n"


@dataclass(slots=True)
class Prepared:
    """An answer that may be given again and again."""

    body: bytes
    etag: str = field(init=False)
    _packed: bytes | None = None

    def __post_init__(self) -> None:
        # weak: the packed and the plain form share it
        self.etag = f'W/"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    def response(self) -> Response:
        """Return the answer that the request asks for: 304 where it has this one already."""
        if request.if_none_match.contains_weak(self.etag[3:-1]):
            response = Response(status=HTTPStatus.NOT_MODIFIED)
        elif len(self.body) >= _WORTH_PACKING and _takes_gzip():
            if self._packed is None:
                self._packed = _pack(self.body)
            response = Response(self._packed, mimetype=JSON)
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = Response(self.body, mimetype=JSON)
        response.headers["ETag"] = self.etag
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Accept-Encoding, Authorization, Cookie"
        return response


def pack(response: Response) -> Response:
    """Pack an answer that is not packed yet, where it is worth it and the request allows it."""
    if (
        response.mimetype not in _PACKED_TYPES
        or response.is_streamed
        or response.direct_passthrough
        or "Content-Encoding" in response.headers
        or response.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    ):
        return response
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= _WORTH_PACKING and _takes_gzip():
        response.set_data(_pack(body))
        response.headers["Content-Encoding"] = "gzip"
        if response.headers.get("ETag", "").startswith('"'):
            response.headers["ETag"] = "W/" + response.headers["ETag"]
    return response


def _takes_gzip() -> bool:
    return bool(request.accept_encodings["gzip"] > 0) if "Accept-Encoding" in request.headers else False


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)
