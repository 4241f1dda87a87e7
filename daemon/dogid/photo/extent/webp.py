"""Where a WebP ends. Sources: RFC 9649, 2.4 (RIFF's size) and 2.5 (chunks); RFC 6386, 9.1 (VP8's header)."""

import re

from dogid.photo.extent.extent import Extent, missing

_HEADER, _SMALLEST = 8, 20  # bytes: "RIFF" and the size; with "WEBP" and one chunk's header
_FIRST_CHUNK, _CHUNK_HEADER = 12, 8
_HOLE = re.compile(rb"\0{512,}")
# Pixels of a lossy picture for each byte of zeros in its data. One of a single colour costs a byte for 10,000 pixels by
# libwebp, and one for 800 by an encoder that keeps VP8's first probabilities; less would let more holes pass.
_PIXELS_OF_A_ZERO = 512
_SIDE = 0x3FFF  # bits of a side's length


def find_extent(data: bytes) -> Extent:
    """Return a WebP's extent. Raise PhotoError with `truncated` where it is not all there."""
    end = _HEADER + int.from_bytes(data[4:8], "little")
    if end < _SMALLEST:
        raise missing("the photo's size is not written")
    if end > len(data) + 1:  # the last padding byte is left out by some programs
        raise missing()
    end = min(end, len(data))
    return Extent(end, is_certain=not _has_hole(data, end))


def _has_hole(data: bytes, end: int) -> bool:
    """Whether there are zeros that may stand in the place of data: lossless pictures of few colours have them, too.

    Raise PhotoError with `truncated` where there are more than any lossy picture of that size has.
    """
    if b"\0\0\0\0\0\0\0\0" not in data:
        return False
    at, found = _FIRST_CHUNK, False
    while at + _CHUNK_HEADER <= end:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        start, at = at + _CHUNK_HEADER, at + _CHUNK_HEADER + length + length % 2
        if kind not in (b"VP8 ", b"VP8L"):
            continue
        longest = max((len(zeros) for zeros in _HOLE.findall(data, start, min(at, end))), default=0)
        width, height = (int.from_bytes(data[start + side : start + side + 2], "little") & _SIDE for side in (6, 8))
        if kind == b"VP8 " and longest > width * height // _PIXELS_OF_A_ZERO:
            raise missing("a part of the photo is not written: there are zeros in its place")
        found = found or longest > 0
    return found
