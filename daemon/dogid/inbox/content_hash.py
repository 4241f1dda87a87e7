"""The SHA-256 of a file in the inbox, without its bytes in memory at once."""

import hashlib
import os
from pathlib import Path

from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root
from dogid.inbox.scan import FoundFile, Version

_CHUNK = 1 << 20  # bytes; lowering it costs more calls, raising it costs memory


def hash_file(inbox: Path, path: bytes) -> tuple[FoundFile, str] | None:
    """Read the file at a path relative to the inbox; return it as it was then, and the hexadecimal SHA-256.

    None where it cannot be read, or changed meanwhile.
    """
    try:
        with open_root(inbox) as root:
            descriptor = open_beneath(root, path)
        try:
            before = Version.from_stat(os.fstat(descriptor))
            digest = hashlib.sha256()
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
            unchanged = Version.from_stat(os.fstat(descriptor)) == before
        finally:
            os.close(descriptor)
    except (OSError, ValueError, OutsideError, NotAFileError):
        return None
    return (FoundFile(path, before), digest.hexdigest()) if unchanged else None
