"""Writing a model file: the flatbuffer, and behind it a zip with what belongs to it."""

import contextlib
import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from dogid.errors import DogidError

_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first: equal contents shall give equal bytes
_MODE = 0o644 << 16
_UNIX = 3


def with_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the model with a zip of these files appended, stored as they are, the same bytes for the same files."""
    result = io.BytesIO(model)
    with zipfile.ZipFile(result, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, content)
    return result.getvalue()


def sha256(data: bytes) -> str:
    """Return the hash in hex."""
    return hashlib.sha256(data).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there entirely or not at all. Raise DogidError, having left the old one alone."""
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DogidError(f"{path}: cannot write {len(data):,} bytes: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
