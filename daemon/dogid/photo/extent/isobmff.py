"""Where a HEIC's or AVIF's data end: the extents of its items, and the boxes that hold them.

Sources: ISO/IEC 14496-12, 4.2 (boxes) and 8.11.3 (item location box); ISO/IEC 23008-12 (HEIF).
"""

from collections.abc import Iterator

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.extent.extent import Extent, missing

_NEEDED = frozenset({b"ftyp", b"meta", b"mdat"})
_HEADER, _LONG_HEADER, _FULL_BOX = 8, 16, 4
_MOST_EXTENTS = 1 << 16  # of a damaged file; a photo of 48 megapixels in tiles has about 200
_IN_FILE = 0  # an item's construction method: offsets in the file


def find_extent(data: bytes) -> Extent:
    """Return the extent of an image of this family. Raise PhotoError with `truncated` where it is not all there,
    or `corrupt`."""
    end = last = 0
    has_meta = False
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind not in _NEEDED:
            continue
        if end > len(data):
            raise missing()
        last = max(last, end)
        if kind == b"meta" and not has_meta:  # a file has one
            has_meta = True
            last = max(last, _last_extent(data, start + _FULL_BOX, end))
    if not has_meta:
        raise missing("the photo ends inside its header")
    if last > len(data):
        raise missing()
    return Extent(last)


def _boxes(data: bytes, at: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield each box's type, where its content begins and where it ends, which may be beyond the data."""
    while at + _HEADER <= limit:
        size, kind, start = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], at + _HEADER
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16]), at + _LONG_HEADER
        if size == 0:  # to the end of the file
            size = limit - at
        if size < start - at or not (kind.isascii() and kind.strip(b"\0")):
            return  # appended by something else
        yield kind, start, at + size
        at += size


def _last_extent(data: bytes, at: int, limit: int) -> int:
    """Return where the last of the items ends that the item location box in a meta box lists."""
    for kind, start, end in _boxes(data, at, limit):
        if kind == b"iloc":
            try:
                return max(_item_ends(data[start:end]), default=0)
            except IndexError as error:
                raise PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged") from error
    return 0


def _item_ends(box: bytes) -> Iterator[int]:
    version = box[0]
    offset_size, length_size = box[4] >> 4, box[4] & 15
    base_size, index_size = box[5] >> 4, (box[5] & 15 if version else 0)
    wide = 4 if version == 2 else 2  # bytes of counts and identifiers
    count, at = int.from_bytes(box[6 : 6 + wide]), 6 + wide
    left = _MOST_EXTENTS
    for _ in range(count):
        if at >= len(box):
            return
        at += wide
        method = _IN_FILE
        if version:
            method, at = box[at + 1] & 15, at + 2
        at += 2  # the data reference
        base, at = int.from_bytes(box[at : at + base_size]), at + base_size
        extents, at = int.from_bytes(box[at : at + 2]), at + 2
        left -= extents
        if left < 0:
            return
        for _ in range(extents):
            if at >= len(box):
                return
            at += index_size
            offset, at = int.from_bytes(box[at : at + offset_size]), at + offset_size
            length, at = int.from_bytes(box[at : at + length_size]), at + length_size
            if method == _IN_FILE:
                yield base + offset + length
