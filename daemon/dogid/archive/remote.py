"""Remote file systems by their URLs, through fsspec, and their errors in plain words."""

import re
from typing import Any, cast

from dogid.errors import UsageError
from dogid.system.extras import make_install_command

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_EXTRAS = {"s3": "s3", "s3a": "s3"}  # of dogid
_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
# a listing is of now; and photos are read in one request each, without a question for their size before it
_S3 = {"use_listings_cache": False, "max_concurrency": 1}
_OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3}
# names of parameters by which signed URLs of S3, GCS, Azure and others let in all that have them
_SECRET = re.compile(r"sig|token|secret|passw|pwd|credential|key|auth|policy", re.IGNORECASE)
_CHUNK = 1 << 16  # bytes that are taken from a web server at once
_LONGEST_REASON = 300  # characters of an error that a server sends


def is_url(text: str) -> bool:
    """Whether a text is a URL, and not a path of this machine."""
    return _URL.match(text) is not None


def find_secret(url: str) -> str | None:
    """Return why a URL with a password or a signature in it is refused, without the secret; None where it has none.

    The URLs of photos stand in results, in exports, and in messages.
    """
    place, _, query = url.partition("?")
    host = place.partition("://")[2].partition("/")[0]
    user = host.rpartition("@")[0]
    names = [name for name in (pair.partition("=")[0] for pair in query.split("&")) if _SECRET.search(name)]
    if ":" not in user and not names:
        return None
    found = "a password" if ":" in user else f"a secret ({names[0][:40]})"
    shown = place.replace(f"{user}@", "***@", 1) if ":" in user else place
    return (
        f"{shown}: {found} in a URL would stand in the results: leave it out, and give credentials by the environment"
        " (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the package of such URLs reads)"
    )


def read_at_most(fs: Any, path: str, count: int) -> bytes:
    """Return the first count bytes of a file, or all where it has fewer. Raise what the file system raises."""
    if hasattr(fs, "encode_url"):
        import fsspec.asyn

        return cast(bytes, fsspec.asyn.sync(fs.loop, _read_web, fs, path, count))
    try:
        return cast(bytes, fs.cat_file(path, end=count))
    except OSError as error:
        if "satisfiable" in str(error):  # an empty object has no first byte
            return b""
        raise


async def _read_web(fs: Any, url: str, count: int) -> bytes:
    """Return the first bytes that a web server gives: many of them do not know requests for a part of a file."""
    session = await fs.set_session()
    data = bytearray()
    async with session.get(fs.encode_url(url), **fs.kwargs) as response:
        if response.status in (404, 410):
            raise FileNotFoundError(url)
        response.raise_for_status()
        async for chunk in response.content.iter_chunked(_CHUNK):
            data += chunk
            if len(data) >= count:
                break
    return bytes(data[:count])


def unify_spelling(place: str) -> str:
    """Return a path or a URL in the spelling in which one place has one name.

    A last slash counts on web servers, whose URLs need not name files.
    """
    kind, found, path = place.partition("://")
    if not found or not is_url(place):
        return place
    kind = {"s3a": "s3", "gcs": "gs", "abfs": "az"}.get(kind.lower(), kind.lower())
    if kind in ("file", "local"):
        return path
    return f"{kind}://{path if kind in ('http', 'https') else path.rstrip('/')}"


def open_file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, without caches of listings, and the path in it, without a last slash.

    Raise UsageError where a package for it is missing, its settings are wrong, or the URL has a secret in it.
    """
    problem = find_secret(url)
    if problem is not None:
        raise UsageError(problem)
    kind = url.partition("://")[0]
    try:
        import fsspec

        fs, path = fsspec.url_to_fs(url, **_OPTIONS.get(kind, {}))
    except ImportError as error:
        if kind in _EXTRAS:
            fix = make_install_command(_EXTRAS[kind])
        else:
            fix = f"pip install '{_PACKAGES.get(kind, 'fsspec')}'"
        raise UsageError(f"{url}: a file system of {kind}:// needs another package: {fix}") from error
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from error
    return fs, str(path).rstrip("/")


def explain_remote_error(error: Exception) -> str:
    """Return what went wrong at a remote file system in one line, with the way out where it is known."""
    kind = type(error).__name__
    cause = error.__cause__
    response = getattr(cause, "response", None) or getattr(error, "response", None)
    code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
    reason = " ".join(str(error).split())[:_LONGEST_REASON] or kind
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return f"{reason}: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile by AWS_PROFILE"
    if code in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return f"{reason}: the bucket is in another region: give that one by AWS_REGION and AWS_DEFAULT_REGION"
    if isinstance(error, PermissionError):
        return f"no rights ({code or kind}: {reason}): check the credentials and the bucket's policy"
    if isinstance(error, FileNotFoundError):
        return f"there is no such bucket or folder ({code or reason})"
    if kind in ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionError", "ClientConnectorError"):
        return f"{reason}: is the address right (AWS_ENDPOINT_URL), and the network up?"
    return f"{kind}: {reason}"
