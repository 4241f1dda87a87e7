"""waitress' reading of requests, stricter where two programs could read the same bytes differently."""

from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error

from dogid.web.server.limits import LARGE_BODY

_LONGEST_CHUNK_LINE = 16_384  # bytes of a chunk's size and extensions, and of the trailer


class Request(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """One request, as far as it has come."""

    completed: bool = False
    admitted = False
    """Whether its body has been let in."""

    def received(self, data: bytes) -> int:
        """Take bytes; return how many of them belong to this request."""
        consumed: int = super().received(data)
        if self.chunked and not self.completed and self._chunk_line_bytes() > _LONGEST_CHUNK_LINE:
            # waitress would collect it, and look through all of it again with every packet
            self.refuse(BadRequest("Chunk header or trailer too long"))
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
        if "TRANSFER_ENCODING" in headers:  # waitress takes it out where it obeys it
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

    def refuse(self, error: Error) -> None:
        """Answer this request by an error; what has come of its body is thrown away."""
        self.close()
        self.body_rcv = None
        self.error = error
        self.completed = True

    def _chunk_line_bytes(self) -> int:
        receiver: Any = self.body_rcv
        return len(receiver.control_line) + len(receiver.trailer)
