"""Where a PNG ends: its chunks up to IEND. Source: W3C PNG 3rd edition, 5.3 and 5.6."""

import zlib

from dogid.photo.extent.extent import Extent, missing

_SIGNATURE_LENGTH = 8
_HOLE = bytes(64)


def find_extent(data: bytes) -> Extent:
    """Return a PNG's extent. Raise PhotoError with `truncated` where a chunk is not all there."""
    at, is_intact = _SIGNATURE_LENGTH, True
    view = memoryview(data)
    while True:
        kind = data[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if end > len(data):
            raise missing()
        if not kind.isalpha():
            raise missing("a part of the photo is not written")
        # decoders ignore this checksum, so that a hole in uncompressed data would show as pixels
        if kind == b"IDAT" and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            if data.find(_HOLE, at, end) >= 0:
                raise missing("a part of the photo is not written: there are zeros in its place")
            is_intact = False
        if kind == b"IEND":
            return Extent(end, is_intact)
        at = end
