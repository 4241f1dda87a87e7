"""The zip appended to a model: its members are read within a bound of memory, whatever the zip says about itself."""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping

_CHUNK = 4096  # compressed bytes that are unpacked at once: of LZMA, these make up to 30 MB
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA}
"""bzip2 is left out: it makes gigabytes of a few kilobytes, and zipfile cannot stop it between."""

_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first: equal contents shall give equal bytes
_MODE = 0o644 << 16
_UNIX = 3

ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, ValueError, RuntimeError,
)  # fmt: skip
"""What zipfile raises for zips that are damaged, encrypted or of an unknown kind."""


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> bytes:
    """Return a member's content, of at most most_bytes bytes.

    Raise ValueError where it is larger or compressed by bzip2, another of ZIP_ERRORS where it is damaged. The size that
    the zip states is not believed: `ZipFile.read` unpacks all that comes before it compares.
    """
    if member.compress_type not in _METHODS:
        raise ValueError(f"{member.filename} is compressed by a method that is not read; deflate is")
    if member.file_size > most_bytes:
        raise ValueError(f"{member.filename} has {member.file_size:,} bytes; at most {most_bytes:,} are read")
    content = bytearray()
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                content += chunk
    except MemoryError as error:  # an LZMA stream states how much its decoder shall have
        raise ValueError(f"{member.filename} takes more memory than there is") from error
    return bytes(content)


def append_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the model with a zip of these files appended, stored as they are, the same bytes for the same files."""
    result = io.BytesIO(model)
    with zipfile.ZipFile(result, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, content)
    return result.getvalue()
