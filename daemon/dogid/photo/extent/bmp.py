"""Where a BMP's pixels end. Source: Microsoft's Win32 API (BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER)."""

import struct

from dogid.photo.extent.extent import Extent, missing

_FILE_HEADER, _CORE_HEADER, _INFO_HEADER = 14, 12, 40
_DEPTHS = frozenset({1, 2, 4, 8, 16, 24, 32})  # bits of a pixel
_UNCOMPRESSED = frozenset({0, 3, 6})  # BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS


def find_extent(data: bytes) -> Extent:
    """Return a BMP's extent. Raise PhotoError with `truncated` where it is not all there."""
    if len(data) < _FILE_HEADER + 4:
        raise missing("the photo ends inside its header")
    size, start, header = struct.unpack_from("<2xI4xII", data)
    if len(data) < _FILE_HEADER + header:
        raise missing("the photo ends inside its header")
    end = start + _pixel_bytes(data, header, size - start)
    if end > len(data):
        raise missing()
    return Extent(max(end, min(size, len(data))), is_certain=size <= len(data))


def _pixel_bytes(data: bytes, header: int, rest: int) -> int:
    """Return the pixels' length in bytes; rest is what the file's size leaves for them."""
    if header == _CORE_HEADER:
        width, height, bits = struct.unpack_from("<HH2xH", data, _FILE_HEADER + 4)
        return _rows(width, height, bits)
    if header < _INFO_HEADER:
        return 0
    width, height, bits, compression, length = struct.unpack_from("<ii2xHII", data, _FILE_HEADER + 4)
    if compression in _UNCOMPRESSED:
        return _rows(width, height, bits)
    return length or max(0, rest)


def _rows(width: int, height: int, bits: int) -> int:
    if bits not in _DEPTHS:
        return 0
    return (abs(width) * bits + 31) // 32 * 4 * abs(height)
