"""Rules of access: Host headers, the token, and origins of requests that write.

On the loopback address no token is needed. On any other, every machine of the network could read the photos' names and
have photos classified.
"""

import hashlib
import hmac
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dogid.errors import UsageError
from dogid.settings import Settings

if TYPE_CHECKING:
    from itsdangerous import TimestampSigner

COOKIE = "dogid_session"
SESSION_SECONDS = 30 * 24 * 3600
"""Until a browser has to sign in again. A stolen cookie works so long, as sessions are not stored anywhere."""
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\s:,/@\[\]]+))(?::[0-9]{0,5})?")
_CREDENTIAL = "dogid_token"  # file of a systemd credential (LoadCredential=)
_MIN_TOKEN_LENGTH = 16  # characters; 16 hexadecimal digits are 64 random bits, too many to guess
_MAX_TOKEN_BYTES = 4096  # read from a token file; the rest is ignored
_HOW_TO_MAKE_ONE = (
    "make a token with: (umask 077; python3 -c 'import secrets; print(secrets.token_hex(32))' > dogid-token)"
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs."""

    token: str | None
    """None where no token is needed."""
    host_names: frozenset[str]
    """Allowed Host headers in lower case; numeric addresses are allowed besides."""

    def allows_host(self, header: str | None) -> bool:
        """Return whether a Host header is one of this machine.

        Another site can have its own name resolve to this machine (DNS rebinding), but the browser still sends that
        name. With a numeric address there is no name to resolve.
        """
        name = _host_without_port(header or "")
        return _is_address(name) or name in self.host_names or name.endswith(".localhost")

    def accepts_token(self, token: str) -> bool:
        """Return whether this is the token, in a time that does not depend on how much of it is right."""
        return self.token is not None and hmac.compare_digest(_digest(token), _digest(self.token))

    def make_session(self) -> str:
        """Return the value of a browser's session cookie: a signed timestamp, not the token."""
        return self._signer().sign("page").decode()

    def accepts_session(self, cookie: str | None) -> bool:
        """Return whether a session cookie was signed with the present token less than SESSION_SECONDS ago.

        By the wall clock, as sessions outlive the process; it may have been set back since, as after a power cut on a
        machine whose clock stops then.
        """
        if self.token is None or not cookie:
            return False
        from itsdangerous import BadSignature

        try:
            _, signed = self._signer().unsign(cookie, return_timestamp=True)
        except BadSignature:
            return False
        return abs((datetime.now(UTC) - signed).total_seconds()) < SESSION_SECONDS

    def _signer(self) -> "TimestampSigner":
        from itsdangerous import TimestampSigner  # imported only where there is a token, so that others start faster

        assert self.token is not None
        return TimestampSigner(_digest(self.token), salt="dogid.session", digest_method=hashlib.sha256)


def decide_access(settings: Settings, address: str, environ: Mapping[str, str] = os.environ) -> Access:
    """Return what requests need.

    settings: token file and allowed hosts.
    address: the numeric address that is served.
    environ: has the folder of systemd's credentials.
    Raise UsageError where the token is unusable, or other machines would have access without one.
    """
    token = _read_token(settings.token_file, environ)
    if token is None and not settings.insecure_no_auth and not ipaddress.ip_address(address).is_loopback:
        raise UsageError(
            f"--host {settings.host}: other machines could read the results and send photos; {_HOW_TO_MAKE_ONE} and "
            "give it by --token-file dogid-token, or serve without a token by --insecure-no-auth"
        )
    if token is None and settings.allow_upload and not ipaddress.ip_address(address).is_loopback:
        raise UsageError(
            f"--host {settings.host}: other machines could fill the inbox (allow_upload); {_HOW_TO_MAKE_ONE} and"
            " give it by --token-file dogid-token; --insecure-no-auth does not do for this"
        )
    return Access(token, _host_names(settings))


def same_origin(origin: str | None, site: str | None, host: str | None) -> bool:
    """Return whether a request comes from one of the daemon's pages or from a program other than a browser.

    origin, site, host: the headers Origin, Sec-Fetch-Site and Host. Only browsers send the first two. Source:
    https://www.w3.org/TR/fetch-metadata/
    """
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or _netloc(origin) == (host or "").lower()


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _read_token(file: Path | None, environ: Mapping[str, str]) -> str | None:
    """Return the token of the settings' file, else of the systemd credential; None where there is neither."""
    if file is not None:
        return _checked_token(file, _first_line(file))
    folder = environ.get("CREDENTIALS_DIRECTORY")
    passed = Path(folder) / _CREDENTIAL if folder else None
    if passed is None or not passed.exists():
        return None
    token = _first_line(passed)
    return _checked_token(passed, token) if token else None


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_TOKEN_BYTES)
        return data.decode("utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise UsageError(f"{file}: the token cannot be read: {error.strerror}; {_HOW_TO_MAKE_ONE}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{file}: the token is not text in UTF-8; {_HOW_TO_MAKE_ONE}") from None


def _checked_token(file: Path, token: str) -> str:
    if len(token) < _MIN_TOKEN_LENGTH:
        raise UsageError(f"{file}: a token needs {_MIN_TOKEN_LENGTH} characters or more; {_HOW_TO_MAKE_ONE}")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(f"{file}: only ASCII letters, digits and punctuation are allowed; {_HOW_TO_MAKE_ONE}")
    return token


def _host_names(settings: Settings) -> frozenset[str]:
    hostname = socket.gethostname().lower()
    return frozenset({"localhost", hostname, f"{hostname}.local", settings.host.lower(), *settings.allowed_hosts})


def _host_without_port(header: str) -> str:
    """Return the name or address in a Host header; empty where the header is malformed."""
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
