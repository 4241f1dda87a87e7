"""Files with a secret that an output's table names: files of their own, or credentials that systemd passes.

The folder of the credentials can be read by root only; the service gets copies of its files (systemd/dogid.service).
A setting may name such a file by its path there, or by its bare name.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dogid.outputs.output import OutputConfigError

CREDENTIALS = Path("/etc/dogid/credentials")
_PREFIX = "dogid_"  # LoadCredential=dogid:FOLDER names the copies so
_MAX_BYTES = 64 * 1024  # what is larger is no password, token or address


def locate_secret(key: str, value: object, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file that a key's value names: a path, or the bare name of a credential.

    Raise OutputConfigError where it is neither.
    """
    if not isinstance(value, str) or not value or "\0" in value:
        raise OutputConfigError(f"{key}: must be the path of a file, or the name of one in {CREDENTIALS}")
    path = Path(value)
    if path.parent not in (CREDENTIALS, Path()):
        return path
    folder = environ.get("CREDENTIALS_DIRECTORY")
    passed = Path(folder) / f"{_PREFIX}{path.name}" if folder else None
    if passed is not None and passed.exists():
        return passed
    return CREDENTIALS / path.name


def read_secret(key: str, path: Path) -> str:
    """Return the first line of a file. Raise OutputConfigError where it cannot be read, or is empty."""
    try:
        with path.open("rb") as stream:
            line = stream.read(_MAX_BYTES).decode("utf-8").partition("\n")[0].strip()
    except FileNotFoundError:
        why = f"{key}: {path}: there is no such file"
        if path.parent == CREDENTIALS:
            why += "; a service reads it at its start only: restart it once the file is there"
        raise OutputConfigError(why) from None
    except OSError as error:
        raise OutputConfigError(f"{key}: {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise OutputConfigError(f"{key}: {path}: is not text in UTF-8") from None
    if not line:
        raise OutputConfigError(f"{key}: {path}: its first line is empty; write the secret there")
    return line
