"""Where a WebP ends. Source: RFC 9649, 2.4 (RIFF's size, even)."""

from dogid.photo.extent.extent import Extent, missing

_HEADER, _SMALLEST = 8, 20  # bytes: "RIFF" and the size; with "WEBP" and one chunk's header


def find_extent(data: bytes) -> Extent:
    """Return a WebP's extent. Raise PhotoError with `truncated` where it is not all there."""
    end = _HEADER + int.from_bytes(data[4:8], "little")
    if end < _SMALLEST:
        raise missing("the photo's size is not written")
    if end > len(data) + 1:  # the last padding byte is left out by some programs
        raise missing()
    return Extent(min(end, len(data)))
