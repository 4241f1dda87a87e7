"""The output `webhook`: each delivery as a request to an address, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import json
import math
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urljoin

import msgspec

from dogid import __version__
from dogid.clock import iso_utc
from dogid.outputs.http_request import Address, Answer, Connection, parse_address
from dogid.outputs.network_faults import explain_fault
from dogid.outputs.output import Delivery, OutputConfigError, OutputContext, OutputError, RefusedError
from dogid.outputs.own_authority import find_authority
from dogid.outputs.secret_files import read_secret
from dogid.outputs.table import OutputTable, read_table

_PREFIX_OF_SECRETS = "whsec_"
_LEAST_SECRET, _MOST_SECRET = 24, 64  # bytes, by the specification
_LONGEST_PAUSE = 3600.0
"""Seconds that a server can ask for by Retry-After. Longer, and a mistake there looks like an output that is broken."""
_MOST_REDIRECTS = 3
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)")
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers below 500 that the same request may not get later."""
_SAME_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
_WAY_OUT: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "are headers_file and secret_file right?",
    HTTPStatus.FORBIDDEN: "are headers_file and secret_file right?",
    HTTPStatus.NOT_FOUND: "is the address right?",
    HTTPStatus.GONE: "nobody listens there any more",
}


class _Table(OutputTable, frozen=True, kw_only=True):
    url: str | None = None
    url_file: str | None = None
    secret_file: str | None = None
    headers_file: str | None = None
    ca_file: str | None = None
    timeout: Annotated[float, msgspec.Meta(ge=1, le=60)] = 10.0
    all: bool = False


def make_output(table: Mapping[str, Any], context: OutputContext) -> "Webhook":
    """Return the output that a table of the settings describes. Raise OutputConfigError where it is wrong."""
    chosen = read_table(table, _Table)
    if (chosen.url is None) == (chosen.url_file is None):
        raise OutputConfigError("url: give either url, or url_file where the address holds a secret")
    if chosen.url is not None:
        try:
            address = parse_address(chosen.url)
        except ValueError as error:
            raise OutputConfigError(f"url: {error}") from None
        if address.authorization is not None:
            raise OutputConfigError("url: holds a password; put the address into a file, and name that by url_file")
    return Webhook(chosen, context)


class Webhook:
    """Sends deliveries to one address, one request each, in order."""

    batch = 50  # deliveries between two looks at settings that are files

    def __init__(self, table: _Table, context: OutputContext) -> None:
        self.wants_all = table.all
        self.wants_events = not table.all
        self._table = table
        self._context = context

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Send a request for each delivery. Raise OutputError or RefusedError for the first that is not accepted."""
        address, secret, headers = self._read_address(), self._read_secret(), self._read_headers()
        with contextlib.closing(self._make_connection(address)) as connection:
            for count, delivery in enumerate(deliveries, 1):
                if self._context.stopping.is_set():
                    return
                body = self._make_body(delivery)
                signed = headers | make_headers(delivery.id, int(time.time()), body, secret)
                _require_success(self._post(connection, address, body, signed), address)
                acknowledged(count)

    def tend(self) -> None:
        """Nothing has to be done between batches: connections are not kept."""

    def check(self) -> str:
        """Connect, and send nothing. Raise OutputError where that fails, or a file that it needs is wrong."""
        address, secret, _ = self._read_address(), self._read_secret(), self._read_headers()
        with contextlib.closing(self._make_connection(address)) as connection:
            try:
                connection.connect()
            except OSError as error:
                raise OutputError(explain_fault(error, address.host, address.port)) from None
        return f"{address.origin} can be reached; {'requests are signed' if secret else 'unsigned: no secret_file'}"

    def close(self) -> None:
        """Nothing is held."""

    def _post(self, connection: Connection, address: Address, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request; return the answer behind redirects within the same host."""
        path = address.path
        for _ in range(_MOST_REDIRECTS):
            try:
                answer = connection.post(path, body, headers)
            except OSError as error:
                connection.close()
                raise OutputError(explain_fault(error, address.host, address.port)) from None
            except http.client.HTTPException as error:
                connection.close()
                what = type(error).__name__  # the text may repeat what the server sent
                raise OutputError(f"{address.origin}: its answer is not HTTP ({what})") from None
            if answer.status not in _SAME_METHOD:
                return answer
            path = _redirected(address, path, answer)
        raise RefusedError(f"{address.origin}: redirects more than {_MOST_REDIRECTS} times")

    def _make_connection(self, address: Address) -> Connection:
        if not address.is_secure:
            return Connection(address, self._table.timeout, None)
        own = None if self._table.ca_file is None else find_authority(self._table.ca_file)
        tls = ssl.create_default_context(cafile=own)
        return Connection(address, self._table.timeout, tls)

    def _read_address(self) -> Address:
        if self._table.url is not None:
            return parse_address(self._table.url)
        assert self._table.url_file is not None
        try:
            return parse_address(read_secret("url_file", self._table.url_file))
        except ValueError as error:
            raise OutputError(f"url_file: {self._table.url_file}: {error}") from None

    def _read_secret(self) -> bytes | None:
        if self._table.secret_file is None:
            return None
        try:
            return parse_secret(read_secret("secret_file", self._table.secret_file))
        except ValueError as error:
            raise OutputError(f"secret_file: {self._table.secret_file}: {error}") from None

    def _read_headers(self) -> dict[str, str]:
        address = self._read_address()
        basic = {} if address.authorization is None else {"Authorization": address.authorization}
        if self._table.headers_file is None:
            return basic
        text = read_secret("headers_file", self._table.headers_file)
        try:
            return basic | parse_headers(text)
        except ValueError as error:
            raise OutputError(f"headers_file: {self._table.headers_file}: {error}") from None

    def _make_body(self, delivery: Delivery) -> bytes:
        origin = {"daemon": self._context.daemon_name, "page": self._context.link_to(delivery.result)}
        document = {
            "type": f"dogid.{delivery.kind}",
            "timestamp": iso_utc(delivery.at_ms),
            "data": delivery.describe() | origin,
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def make_headers(message_id: str, timestamp: int, body: bytes, secret: bytes | None) -> dict[str, str]:
    """Return the headers of a webhook; timestamp in seconds since 1970; without a secret it is not signed."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"dogid/{__version__}",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
    }
    if secret is not None:
        signed = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return headers


def parse_secret(text: str) -> bytes:
    """Return the key of a text that begins with `whsec_`. Raise ValueError, without the text, where it is none."""
    encoded = text.removeprefix(_PREFIX_OF_SECRETS)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if encoded == text or not _LEAST_SECRET <= len(key) <= _MOST_SECRET:
        raise ValueError(
            f"must be {_PREFIX_OF_SECRETS} and {_LEAST_SECRET} to {_MOST_SECRET} random bytes in base64; make one with:"
            ' echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


def parse_headers(text: str) -> dict[str, str]:
    """Return the headers of a file, a line `Name: value` each. Raise ValueError with the number of a wrong line."""
    headers = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _HEADER.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"line {number}: must be `Name: value`, in ASCII")
        if found[1].lower() in _OWN_HEADERS or found[1].lower().startswith("webhook-"):
            raise ValueError(f"line {number}: {found[1]} is set by dogid itself")
        headers[found[1]] = found[2]
    return headers


def _require_success(answer: Answer, address: Address) -> None:
    """Raise OutputError where the same request may be accepted later, RefusedError where a person has to act."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    found = f"{address.origin} answers {status} {_reason(status)}".rstrip()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise RefusedError(f"{found}: it has moved; put the new address into the settings")
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.OK:
        raise OutputError(found, read_retry_after(answer.headers.get("Retry-After") or "", time.time()))
    raise RefusedError(f"{found}; {_WAY_OUT.get(status, 'its own log may say why')}")


def read_retry_after(text: str, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, at most an hour; None where there is none to be read.

    It is a number or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST_PAUSE)
    try:
        left = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, float(math.ceil(left))), _LONGEST_PAUSE)


def _redirected(address: Address, path: str, answer: Answer) -> str:
    """Return the path that a redirect names. Raise RefusedError where it leads to another host, port or scheme."""
    try:
        target = parse_address(urljoin(address.origin + path, answer.headers.get("Location") or ""))
    except ValueError:
        raise RefusedError(f"{address.origin} answers {answer.status} without an address") from None
    if target.origin != address.origin:
        raise RefusedError(
            f"{address.origin} redirects to {target.origin}, which is not followed; put that address into the settings"
        )
    return target.path


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
