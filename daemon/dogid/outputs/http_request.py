"""HTTP requests with an end: each bounded in time as a whole, and in the bytes of its answer."""

import base64
import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

_MOST_BYTES = 64 * 1024
"""Read of an answer, with its headers. Lower refuses chatty servers, higher lets an endless answer take longer."""
_HTTP, _HTTPS = 80, 443


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go."""

    is_secure: bool
    host: str
    port: int
    path: str
    """With the query. Both may hold secrets."""
    authorization: str | None = None
    """Value of the header, where the address has a user and password."""

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (_HTTPS if self.is_secure else _HTTP)
        return f"{'https' if self.is_secure else 'http'}://{host}" + ("" if usual else f":{self.port}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers, without the body."""

    status: int
    reason: str
    headers: http.client.HTTPMessage


def parse_address(url: str) -> Address:
    """Return the parts of an address of HTTP. Raise ValueError, which does not show the address, where it is none."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// or http:// and a host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (path.isascii() and path.isprintable()) or " " in path:
        raise ValueError("must have blanks and letters beyond ASCII percent-encoded")
    basic = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
    is_secure = parts.scheme == "https"
    return Address(is_secure, host, port or (_HTTPS if is_secure else _HTTP), path, basic)


class Connection:
    """A connection to one host, for requests one after the other."""

    def __init__(self, address: Address, timeout: float, tls: ssl.SSLContext | None) -> None:
        """timeout: seconds for connecting, and for each request; tls: for addresses of https."""
        self._timeout = timeout
        self._line = (
            http.client.HTTPSConnection(address.host, address.port, timeout=timeout, context=tls)
            if address.is_secure
            else http.client.HTTPConnection(address.host, address.port, timeout=timeout)
        )

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, TLS included."""
        return getattr(self._line, "sock", None) is not None

    def connect(self) -> None:
        """Connect, TLS included. Raise OSError where that fails."""
        self._line.connect()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request; return its answer. Raise OSError or HTTPException where none comes in time.

        A connection that the server has closed since the request before is made anew.
        """
        is_reused = self.is_open
        try:
            return self._post(path, body, headers)
        except (ConnectionError, http.client.BadStatusLine, ssl.SSLEOFError):
            self.close()
            if not is_reused:
                raise
            return self._post(path, body, headers)

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        if not self.is_open:
            self.connect()
        deadline = time.monotonic() + self._timeout
        self._line.sock.settimeout(self._timeout)
        self._line.response_class = _bounded_by(deadline)
        self._line.request("POST", path, body, dict(headers))
        with self._line.getresponse() as answer:
            found = Answer(answer.status, answer.reason, answer.headers)
            try:
                answer.read()  # to its end, or the next request could not use the connection
            except (OSError, http.client.HTTPException):  # endless or too slow: its status has arrived, which counts
                self.close()
        return found

    def close(self) -> None:
        """Close it; the next request makes it anew."""
        self._line.close()


class _EndlessAnswerError(OSError):
    """An answer is larger than any that is meant well."""


def _bounded_by(deadline: float) -> Any:
    """Return what http.client makes responses with, of a kind that reads so long, and so many bytes, at most."""

    def make_response(line: socket.socket, method: str | None = None) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_BoundedSocket(line, deadline), method=method)  # type: ignore[arg-type]

    return make_response


class _BoundedSocket:
    """Stands for a socket where a response is read from it."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line = line
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        stream = self._line.makefile("rb", buffering=0)
        return io.BufferedReader(_BoundedReader(stream, self._line, self._deadline))


class _BoundedReader(io.RawIOBase):
    """Reads a socket until a deadline, and no more than _MOST_BYTES."""

    def __init__(self, stream: io.RawIOBase, line: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._line = line
        self._deadline = deadline
        self._bytes_left = _MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._bytes_left <= 0:
            raise _EndlessAnswerError("its answer has no end")
        self._line.settimeout(left)
        count = self._stream.readinto(buffer) or 0
        self._bytes_left -= count
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
