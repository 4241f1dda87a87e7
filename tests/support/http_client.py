"""Requests to a daemon over HTTP, with full control of headers and the whole response."""

import http.client
import json
import urllib.parse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.waiting import TIMEOUT


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; redirections are not followed."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.document["error"]["code"])


def fetch(
    url: str, path: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Send one request for path to the daemon at url, over a connection of its own."""
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def fetch_page(url: str, path: str) -> str:
    """Return the HTML that the daemon at url serves browsers at a path."""
    return fetch(url, path, headers={"Accept": "text/html"}).body.decode()


def multipart_form(name: str, data: bytes, field: str = "file") -> tuple[bytes, dict[str, str]]:
    """Given a file's name and bytes, return a multipart body and its headers."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
