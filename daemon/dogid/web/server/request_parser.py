"""waitress' request parser, stricter where two programs could read the same bytes differently."""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error

from dogid.conditions import temporary_folder_unwritable
from dogid.web.server.limits import BODY_GRACE_SECONDS, LARGE_BODY, MAX_HEADER_BYTES


class UploadLimitError(Error):  # type: ignore[misc]  # waitress ships no types
    """Too many large bodies are on their way."""

    code = 503
    reason = "Service Unavailable"


class NoRoomError(Error):  # type: ignore[misc]
    """The temporary folder has no room for a body."""

    code = 507
    reason = "Insufficient Storage"


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """One request, as far as it has arrived."""

    completed: bool = False

    def __init__(self, adjustments: Any, has_room_for_body: Callable[[], bool]) -> None:
        """Start with no bytes; has_room_for_body is called once, after the head of a request with a large body."""
        super().__init__(adjustments)
        self.started = time.monotonic()
        self._has_room_for_body = has_room_for_body
        self._is_admitted = False

    def received(self, data: bytes) -> int:
        """Read bytes; return how many of them belong to this request."""
        try:
            consumed: int = super().received(data)
        except OSError as error:  # a large body waits in a temporary file
            self._refuse(NoRoomError(temporary_folder_unwritable(tempfile.gettempdir(), error)))
            return len(data)
        if self.is_large and not self._is_admitted:
            self._is_admitted = True
            if not self._has_room_for_body():
                self._refuse(UploadLimitError("too many large uploads at once; try again"))
        if self.chunked and not self.completed and self._chunk_line_bytes() > MAX_HEADER_BYTES:
            # waitress would collect it, and search all of it again with every packet
            self._refuse(BadRequest("Chunk header or trailer too long"))
        if self.completed:
            self.expect_continue = False  # waitress would ask for a body that is refused, or that there is not
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. Raise ParsingError where its length or its addressee could be read in two ways."""
        if b"\r\n " in header_plus or b"\r\n\t" in header_plus:
            raise ParsingError("Folded header")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an address that urlsplit cannot read
            raise ParsingError("Start line is invalid") from error
        headers: dict[str, str] = self.headers
        if "TRANSFER_ENCODING" in headers:  # waitress removes it where it obeys it
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if self.chunked and "CONTENT_LENGTH" in headers:
            raise ParsingError("Content-Length beside Transfer-Encoding")
        if "," in headers.get("HOST", ""):
            raise ParsingError("More than one Host")
        if self.proxy_netloc:
            headers["HOST"] = self.proxy_netloc  # RFC 9112, 3.2.2: the request line counts, not the header

    @property
    def is_large(self) -> bool:
        """Whether it has, or may have, a large body."""
        return bool(self.headers_finished and self.error is None and (self.chunked or self.content_length > LARGE_BODY))

    def bytes_per_second(self) -> float:
        """Return how fast the body has come so far: infinity for a request that has just begun."""
        seconds = time.monotonic() - self.started
        return math.inf if seconds < BODY_GRACE_SECONDS else self.body_bytes_received / seconds

    def _refuse(self, error: Error) -> None:
        """Have this request answered by an error; what has come of its body is thrown away."""
        with contextlib.suppress(OSError):  # closing writes what is left
            self.close()
        self.body_rcv = None
        self.error = error
        self.completed = True

    def _chunk_line_bytes(self) -> int:
        receiver: Any = self.body_rcv
        return len(receiver.control_line) + len(receiver.trailer)
