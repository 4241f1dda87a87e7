"""Passwords, keys and secret addresses of outputs: read from files or systemd credentials, when they are needed.

They are read anew each time, so that a file that was wrong or missing can be mended while the daemon runs.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dogid.outputs.output import OutputError

CREDENTIALS = Path("/etc/dogid/credentials")
"""Only root can read this folder. systemd passes the service copies of the files in it when it starts."""
_PREFIX = "dogid_"  # the unit's LoadCredential= puts it before the names
_MOST_BYTES = 64 * 1024  # a certificate chain or a file of headers is smaller; more is another file by mistake


def find_secret(file: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where a secret file is to be read: the service's copy of a file in CREDENTIALS, else the file itself.

    file: a path, or the bare name of a file in CREDENTIALS.
    """
    passed = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(file)
    if path.parent not in (CREDENTIALS, Path()):
        return path
    return Path(passed) / f"{_PREFIX}{path.name}" if passed else CREDENTIALS / path.name


def read_secret(key: str, file: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the text of a secret file without the blanks around it.

    key: of the settings, for messages; file: its value there; environ: has the folder of systemd's credentials.
    Raise OutputError where the file cannot be read or is empty; its content is in no message.
    """
    path = find_secret(file, environ)
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        text = data.decode("utf-8").strip()
    except OSError as error:
        raise OutputError(f"{key}: {file}: cannot be read: {error.strerror}{_way_out(path)}") from None
    except UnicodeDecodeError:
        raise OutputError(f"{key}: {file}: is not text in UTF-8") from None
    if len(data) > _MOST_BYTES or not text:
        raise OutputError(f"{key}: {file}: is {'larger than 64 kB' if text else 'empty'}")
    return text


def _way_out(path: Path) -> str:
    if path.name.startswith(_PREFIX):
        return "; the service gets the files of that folder when it starts: restart it"
    if path.parent == CREDENTIALS:
        return "; only the service gets the files of that folder"
    return "" if path.exists() else "; make the file, readable for the daemon's user alone"
