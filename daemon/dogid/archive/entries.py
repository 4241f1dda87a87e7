"""One photo of an archive, as a listing finds it, and the number that identifies this version of it."""

import hashlib
from typing import NamedTuple

_POSITIVE = (1 << 63) - 1


class Entry(NamedTuple):
    """A file that may be a photo, and which version of it; its bytes have not been read."""

    id: int
    """By `identify`: positive, 63 bits."""
    file: str
    """Its path relative to the source, or as a manifest names it; what is not UTF-8 is percent-encoded."""
    size: int | None = None
    """In bytes; None where the listing does not say, or there was no such file."""
    modified_us: int | None = None
    """When it was modified, in microseconds since 1970, UTC; None where the listing does not say."""
    etag: str | None = None
    """What an object store names this content by; None elsewhere."""


def make_entry(file: str, size: int | None = None, modified_us: int | None = None, etag: str | None = None) -> Entry:
    """Return the entry of a file, with its id."""
    return Entry(identify(file, size, modified_us, etag), file, size, modified_us, etag)


def identify(file: str, size: int | None, modified_us: int | None, etag: str | None) -> int:
    """Return the id of one version of a file: 63 bits of a hash of its path, its size, and its ETag or else its date.

    Of ten million entries, two share an id with a probability of 1 in 180,000; `manifest` keeps those of one
    listing apart.
    """
    version = modified_us if etag is None else etag
    return _hash(f"{file}\0{size}\0{version}")


def hash_path(file: str) -> int:
    """Return 63 bits of a hash of a path: the same for all versions of a file."""
    return _hash(file)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) & _POSITIVE
