"""Downloading one file: resumed where the line breaks, checked by its SHA-256, and kept only when it is whole."""

import contextlib
import errno
import hashlib
import http.client
import ipaddress
import math
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from dogid import __version__
from dogid.errors import DogidError, UsageError
from dogid.system.atomic_files import sync_folder

Progress = Callable[[int, int | None], None]
"""Is given the bytes received so far, and all of them where that is known."""

_MOST_REDIRECTS = 5
_TIMEOUT = 30.0  # seconds without a byte, after which the line counts as broken; shorter fails on slow satellites
_CHUNK = 64 * 1024  # bytes between two reports of progress
_PAUSES = (0.0, 1.0, 3.0, 10.0)
"""Seconds before each attempt to resume, counted from the last byte received. More attempts keep a user waiting."""

_LONGEST_PAUSE = 60
"""Seconds that a busy server is waited for where it asks for a pause. Longer ones look like a command that hangs."""
_MOST_ATTEMPTS = 100  # of all, so that a server which sends a byte at a time is not asked for ever


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download, and what is known about it."""

    url: str
    most_bytes: int
    """The largest size that is accepted."""
    sha256: str | None = None
    size: int | None = None
    """In bytes, where it is known."""


def check_address(url: str) -> None:
    """Raise UsageError where an address is not https; plain http is for this machine alone."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise UsageError(f"{url}: not an address: {error}") from error
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and _is_loopback(host):
        return
    raise UsageError(f"{url}: only https addresses are downloaded: others can be altered on the way")


def download(file: RemoteFile, target: Path, progress: Progress | None = None) -> str:
    """Download a file to target, replacing what is there once all is received; return its SHA-256.

    A file with a known SHA-256 is also resumed from an earlier, broken download. Raise DogidError with the reason and
    the way out, UsageError where the address is none.
    """
    check_address(file.url)
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.sha256 is None:
            part.unlink(missing_ok=True)
        _require_room(file, target, part)
        _receive(file, part, progress or _no_progress)
        found = _sha256(part)
        if file.sha256 is not None and found != file.sha256:
            part.unlink()
            raise DogidError(
                f"{file.url}: its SHA-256 is {found} instead of {file.sha256}: the file was changed, or altered on the "
                "way; nothing was kept"
            )
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise _explain_disk(file, target, part, error) from error
    return found


def _no_progress(received: int, total: int | None) -> None:
    """Show nothing."""


def _receive(file: RemoteFile, part: Path, progress: Progress) -> None:
    """Append to part until all is received, as often as the line breaks."""
    started = _size(part)
    if file.size is not None and started >= file.size:
        if started == file.size:
            return  # all was received before, and not yet renamed
        part.unlink()
    failures, version = 0, ""
    for _ in range(_MOST_ATTEMPTS):
        before = _size(part)
        try:
            version = _receive_once(file, part, before, version, progress)
        except _BrokenLineError as error:
            now = _size(part)
            failures = 0 if now > before else failures + 1
            pause = error.seconds or _PAUSES[min(failures, len(_PAUSES) - 1)]
            is_in_vain = pause > _LONGEST_PAUSE or (now == started and not error.is_of_server)
            if is_in_vain or failures >= len(_PAUSES):
                kept = f"; {now:,} bytes are kept: the same command goes on from there" if now and file.sha256 else ""
                raise DogidError(f"{file.url}: {error}; {error.way_out}{kept}") from error
            version = error.version or version
            time.sleep(pause)
        else:
            return
    raise DogidError(f"{file.url}: the line broke {_MOST_ATTEMPTS} times; try again later")


class _BrokenLineError(Exception):
    """The line broke before all was received."""

    is_of_server = False
    """Whether the server answered, and may answer otherwise soon."""
    seconds = 0
    """Until the next attempt, where the server asks for a pause."""
    way_out = "check the network and try again"

    def __init__(self, reason: str, version: str = "") -> None:
        super().__init__(reason)
        self.version = version


class _BusyServerError(_BrokenLineError):
    """The server has too much to do, or fails in another way that may pass."""

    is_of_server = True

    def __init__(self, error: urllib.error.HTTPError) -> None:
        super().__init__(f"the server answers {error.code} {error.reason}")
        self.seconds = _read_retry_after(error.headers.get("Retry-After") or "")
        self.way_out = f"try again in {self.seconds:,} seconds, as it asks" if self.seconds else "try again later"


def _read_retry_after(text: str) -> int:
    """Return the seconds from now that a Retry-After header asks for, 0 where there is none that can be read.

    It is a number or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if text.isdecimal():
        return int(text)
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0
    return max(0, math.ceil(at - time.time()))


def _receive_once(file: RemoteFile, part: Path, have: int, version: str, progress: Progress) -> str:
    """Ask for what is missing behind the bytes in part, and append it; return the file's version at its server.

    Raise _BrokenLineError where less arrived than was announced, _BusyServerError where the server may answer later.
    """
    request = urllib.request.Request(  # noqa: S310 - checked by check_address, as redirects are
        file.url, headers={"User-Agent": f"dogid/{__version__}", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        if version:
            request.add_header("If-Range", version)
    try:
        with _opener().open(request, timeout=_TIMEOUT) as answer:
            resumed = answer.status == http.client.PARTIAL_CONTENT and _starts_at(answer, have)
            version = answer.headers.get("ETag") or ""
            total = _announced(answer, have if resumed else 0)
            if total is not None and total > file.most_bytes:
                part.unlink(missing_ok=True)
                raise DogidError(f"{file.url}: {total:,} bytes; at most {file.most_bytes:,} are accepted")
            with part.open("ab" if resumed else "wb") as out:
                _copy(answer, out, file, total, progress)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            part.unlink()
            raise _BrokenLineError("what was kept does not fit") from error
        if error.code == http.client.TOO_MANY_REQUESTS or error.code >= http.client.INTERNAL_SERVER_ERROR:
            raise _BusyServerError(error) from error
        raise DogidError(
            f"{file.url}: the server answers {error.code} {error.reason}; is the address right?"
        ) from error
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, str) else getattr(error.reason, "strerror", None)
        raise _BrokenLineError(f"cannot be reached: {reason or error.reason}") from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise _BrokenLineError(f"the line broke: {error or type(error).__name__}", version) from error
    return version


def _copy(answer: Any, out: IO[bytes], file: RemoteFile, total: int | None, progress: Progress) -> None:
    received = out.seek(0, os.SEEK_END)
    progress(received, total)
    while chunk := answer.read1(_CHUNK):
        received += len(chunk)
        if received > file.most_bytes:
            out.truncate(0)
            raise DogidError(f"{file.url}: sends more than {file.most_bytes:,} bytes; nothing was kept")
        out.write(chunk)
        progress(received, total)
    out.flush()
    os.fsync(out.fileno())
    expected = total if file.size is None else file.size
    if expected is not None and received < expected:
        raise http.client.IncompleteRead(b"", expected - received)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, to addresses that would be accepted themselves."""

    max_redirections = _MOST_REDIRECTS

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_address(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise UsageError(f"{newurl}: the download was redirected from https to plain http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_CheckedRedirects)


def _starts_at(answer: Any, have: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _announced(answer: Any, before: int) -> int | None:
    length = str(answer.headers.get("Content-Length") or "")
    return before + int(length) if length.isdecimal() else None


def _require_room(file: RemoteFile, target: Path, part: Path) -> None:
    if file.size is None:
        return
    missing = file.size - _size(part)
    free = shutil.disk_usage(target.parent).free
    if free < missing:
        raise DogidError(f"{target.parent}: {free:,} bytes are free, and {missing:,} are needed; make room there")


def _explain_disk(file: RemoteFile, target: Path, part: Path, error: OSError) -> DogidError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return DogidError(f"{target.parent}: the disk is full; make room there; nothing of {file.url} was kept")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DogidError(
            f"{target}: cannot be written: {error.strerror}; give another place by -o FILE or --state DIR"
        )
    return DogidError(f"{target}: cannot be written: {error.strerror or error}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
