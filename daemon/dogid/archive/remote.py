"""Remote file systems by their URLs, through fsspec, and their errors in plain words."""

import re
from typing import Any

from dogid.errors import UsageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PACKAGES = {"s3": "dogid[s3]", "s3a": "dogid[s3]", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
# a listing is of now; and photos are read in one request each, without a question for their size before it
_S3 = {"use_listings_cache": False, "max_concurrency": 1}
_OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3}
_LONGEST_REASON = 300  # characters of an error that a server sends


def is_url(text: str) -> bool:
    """Whether a text is a URL, and not a path of this machine."""
    return _URL.match(text) is not None


def open_file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, without caches of listings, and the path in it, without a last slash.

    Raise UsageError where a package for it is missing, or its settings are wrong.
    """
    kind = url.partition("://")[0]
    try:
        import fsspec

        fs, path = fsspec.url_to_fs(url, **_OPTIONS.get(kind, {}))
    except ImportError as error:
        package = _PACKAGES.get(kind, "fsspec")
        raise UsageError(f"{url}: a file system of {kind}:// needs another package: pip install '{package}'") from error
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
