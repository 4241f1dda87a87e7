"""Requests to another daemon: with its token, within limits of time and size, and never on to another host."""

import contextlib
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urljoin, urlsplit

from dogid import __version__
from dogid.errors import DogidError, UsageError

_TIMEOUT = 20.0  # seconds without a byte; longer waits for a daemon that is gone, shorter gives up on slow links
_PAGE_SECONDS = 120.0  # for a whole answer, so that one which comes a byte at a time ends
_MOST_BYTES = 32 * 1024 * 1024  # of an answer; a page of a thousand results of the longest names has 10 MB
_MOST_ERROR_BYTES = 64 * 1024
_MOST_SHOWN = 300  # characters of another's message


@dataclass(frozen=True, slots=True)
class Address:
    """Where the daemon is, and the token that it asks for."""

    url: str
    """Ends with a slash."""
    token: str | None
    token_file: Path | None


def parse_address(url: str, token_file: Path | None) -> Address:
    """Return an address of its URL and the file of its token. Raise UsageError."""
    form = "write the address that the daemon prints at its start, such as http://barn:8000/"
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment:
        raise UsageError(f"--from {url}: is no address of a daemon; {form}")
    if parts.username is not None or parts.password is not None:
        raise UsageError("--from: a user or password must not be in the address; give --token-file")
    token = None if token_file is None else _read_token(token_file)
    # the daemon prints both addresses, its own and that of its results
    url = url.rstrip("/").removesuffix("/results")
    return Address(f"{url.rstrip('/')}/", token, token_file)


def _read_token(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            token = stream.read(_MOST_ERROR_BYTES).partition(b"\n")[0].strip().decode("ascii")
    except OSError as error:
        raise UsageError(f"--token-file {file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable():
        raise UsageError(f"--token-file {file}: its first line is no token; copy the daemon's into it")
    return token


def get_json(address: Address, path: str, params: Mapping[str, str]) -> Any:
    """Return the JSON that a daemon answers. Raise DogidError with the reason and the way out."""
    deadline = time.monotonic() + _PAGE_SECONDS
    with open_stream(address, path, params) as answer:
        data = bytearray()
        while chunk := answer.read1(64 * 1024):
            data += chunk
            if len(data) > _MOST_BYTES or time.monotonic() > deadline:
                raise DogidError(f"{address.url}: its answer does not end; {_IS_IT_DOGID}")
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
    try:
        return json.loads(data)
    except ValueError:
        raise DogidError(f"{address.url}: answers, but not with JSON; {_IS_IT_DOGID}") from None


@contextlib.contextmanager
def open_stream(
    address: Address, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Open the answer to a request, to be read within the context.

    Raise DogidError, also for what reading it raises.
    """
    url = urljoin(address.url, path) + (f"?{urlencode(params)}" if params else "")
    request = urllib.request.Request(  # noqa: S310 - parse_address has checked it, redirects are
        url, headers={"User-Agent": f"dogid/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
    )
    if address.token is not None:
        request.add_unredirected_header("Authorization", f"Bearer {address.token}")
    try:
        with urllib.request.build_opener(_SameOriginRedirects).open(request, timeout=_TIMEOUT) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        with error:
            raise _explain_status(address, error) from None
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, OSError) else OSError(str(error.reason))
        raise LostError(_explain_fault(address, reason)) from None
    except (OSError, http.client.HTTPException) as error:
        fault = error if isinstance(error, OSError) else OSError(f"the connection broke: {type(error).__name__}")
        raise LostError(_explain_fault(address, fault)) from None


class LostError(DogidError):
    """The daemon cannot be reached, for now."""


class _SameOriginRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the same host and port alone: the token is for that one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            place = f"{urlsplit(newurl).scheme}://{urlsplit(newurl).netloc.rpartition('@')[2]}/"
            raise DogidError(
                f"{req.full_url}: sends on to {place[:_MOST_SHOWN]}, which is not followed; is that the daemon?"
                " Then give its address by --from"
            )
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            for name, value in req.unredirected_hdrs.items():
                made.add_unredirected_header(name, value)
        return made


_IS_IT_DOGID = "is it dogid? The daemon prints its address at its start"


def _explain_status(address: Address, error: urllib.error.HTTPError) -> DogidError:
    """Return the error for an answer that is none of success."""
    if error.code == HTTPStatus.UNAUTHORIZED:
        if address.token_file is None:
            return UsageError(f"{address.url}: asks for a token; give a file with it by --token-file")
        return UsageError(f"{address.url}: does not accept the token in {address.token_file}; is it another daemon's?")
    try:
        document = json.loads(error.read(_MOST_ERROR_BYTES))
        code, message = str(document["error"]["code"]), str(document["error"]["message"])[:_MOST_SHOWN]
    except (ValueError, TypeError, KeyError, OSError, http.client.HTTPException):
        return DogidError(f"{address.url}: answers {error.code}, and not as dogid does; {_IS_IT_DOGID}")
    if code == "bad_request":
        return UsageError(f"{address.url}: {message}")
    if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
        return LostError(f"{address.url}: {message}")
    return DogidError(f"{address.url}: {error.code} {code}: {message}")


def _explain_fault(address: Address, error: OSError) -> str:
    """Return why a daemon cannot be reached."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or "it cannot be verified"
        return f"{address.url}: its certificate is not accepted: {reason}; SSL_CERT_FILE names your own authority's"
    if isinstance(error, ssl.SSLError):
        return f"{address.url}: TLS fails: {error.reason or error}; does it speak https on this port?"
    if isinstance(error, socket.gaierror):
        return f"{address.url}: the name cannot be resolved: {error.strerror}; is it right, and is there a network?"
    if isinstance(error, TimeoutError):
        return (
            f"{address.url}: no answer in {_TIMEOUT:g} seconds; is the machine on, and its port open in the firewall?"
        )
    if isinstance(error, ConnectionRefusedError):
        host = urlsplit(address.url).hostname or ""
        is_here = host == "localhost" or host.startswith("127.") or host == "::1"
        setting = "" if is_here else ', with host = "0.0.0.0",'
        return f"{address.url}: nothing listens there; does the daemon run{setting} on this port?"
    return f"{address.url}: {error.strerror or error}; is the machine on, and is there a way to its network?"
