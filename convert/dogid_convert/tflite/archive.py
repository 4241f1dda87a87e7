"""Composing a model file: the flatbuffer, followed by a zip with labels, golden photo and record."""

import hashlib
import io
import zipfile
from collections.abc import Mapping

_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first: equal contents shall give equal bytes
_MODE = 0o644 << 16
_UNIX = 3


def append_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
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
