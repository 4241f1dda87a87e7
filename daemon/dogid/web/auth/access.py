"""Who may ask: names by which the machine is asked for, the token, and where a request to write may come from.

On the loopback address nothing is needed. Every other address needs a token, since whoever reaches it could read the
photos' names and use the machine.
"""

import hashlib
import hmac
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dogid.errors import UsageError
from dogid.settings import Settings

if TYPE_CHECKING:
    from itsdangerous import TimestampSigner

COOKIE = "dogid_session"
SESSION_SECONDS = 30 * 24 * 3600
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\s:,/@\[\]]+))(?::[0-9]{0,5})?")
_CREDENTIAL = "dogid_token"
_SHORTEST_TOKEN = 16  # characters; what `openssl rand -hex 16` makes has 32
_LARGEST_TOKEN_FILE = 4096  # bytes
_HOW_TO_MAKE_ONE = "make one with: (umask 077; openssl rand -hex 32 > dogid-token)"


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must bring."""

    token: str | None
    """Whoever asks must know it; None: nobody must."""
    host_names: frozenset[str]
    """Names in lower case by which this machine may be asked for, besides its numeric addresses."""

    def knows_host(self, header: str | None) -> bool:
        """Whether a Host header names this machine.

        A page of another site can make its own name lead here (DNS rebinding); it cannot change the name that the
        browser then asks for. A numeric address is never such a name.
        """
        name = _host_name(header or "")
        return _is_address(name) or name in self.host_names or name.endswith(".localhost")

    def accepts_token(self, given: str) -> bool:
        """Whether this is the token; takes as long for a wrong one as for the right one."""
        return self.token is not None and hmac.compare_digest(_digest(given), _digest(self.token))

    def session(self) -> str:
        """Return what a browser's cookie holds after a login: a signed date, not the token."""
        return self._signer().sign("page").decode()

    def accepts_session(self, cookie: str | None) -> bool:
        """Whether a cookie was made with the token of now, and not too long ago."""
        if self.token is None or not cookie:
            return False
        from itsdangerous import BadSignature

        try:
            self._signer().unsign(cookie, max_age=SESSION_SECONDS)
        except BadSignature:
            return False
        return True

    def _signer(self) -> "TimestampSigner":
        from itsdangerous import TimestampSigner  # only where there is a token: the start need not wait for it

        assert self.token is not None
        return TimestampSigner(_digest(self.token), salt="dogid.session", digest_method=hashlib.sha256)


def decide_access(settings: Settings, address: str, environ: Mapping[str, str] = os.environ) -> Access:
    """Given the address that is served, return what requests need. Raise UsageError where others could walk in."""
    token = _token(settings.token_file, environ)
    if token is None and not settings.insecure_no_auth and not ipaddress.ip_address(address).is_loopback:
        raise UsageError(
            f"--host {settings.host}: other machines could read the results and use this one; {_HOW_TO_MAKE_ONE} and "
            "give it by --token-file dogid-token, or serve without a token by --insecure-no-auth"
        )
    return Access(token, _own_names(settings))


def same_origin(origin: str | None, site: str | None, host: str | None) -> bool:
    """Given the headers Origin, Sec-Fetch-Site and Host, whether a page of another site may have sent the request.

    Programs that are no browsers send neither of the first two. Source: https://www.w3.org/TR/fetch-metadata/
    """
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or _netloc(origin) == (host or "").lower()


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _token(file: Path | None, environ: Mapping[str, str]) -> str | None:
    """The token of the file that the settings name, or of the one that systemd passes; None where there is none."""
    if file is not None:
        return _checked(file, _first_line(file))
    folder = environ.get("CREDENTIALS_DIRECTORY")
    passed = Path(folder) / _CREDENTIAL if folder else None
    if passed is None or not passed.exists():
        return None
    token = _first_line(passed)
    return _checked(passed, token) if token else None


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_TOKEN_FILE)
        return data.decode("utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise UsageError(f"{file}: the token cannot be read: {error.strerror}; {_HOW_TO_MAKE_ONE}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{file}: the token is no text; {_HOW_TO_MAKE_ONE}") from None


def _checked(file: Path, token: str) -> str:
    if len(token) < _SHORTEST_TOKEN:
        raise UsageError(f"{file}: a token needs {_SHORTEST_TOKEN} characters or more; {_HOW_TO_MAKE_ONE}")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(f"{file}: a token is made of letters, digits and signs without spaces; {_HOW_TO_MAKE_ONE}")
    return token


def _own_names(settings: Settings) -> frozenset[str]:
    own = socket.gethostname().lower()
    return frozenset({"localhost", own, f"{own}.local", settings.host.lower(), *settings.allowed_hosts})


def _host_name(header: str) -> str:
    """The name of a Host header, without its port; empty where it is no such header."""
    match = _HOST.fullmatch(header.lower())
    return "" if match is None else (match["address"] or match["name"]).rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
