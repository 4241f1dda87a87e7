"""Where a HEIC's or AVIF's data end: the extents of its items, and the boxes that hold them.

Sources: ISO/IEC 14496-12, 4.2 (boxes), 8.11.3 (item location box) and 8.11.6 (item information box); ISO/IEC 23008-12
(HEIF); ITU-T H.265, 7.4.2 (three bytes of zeros in a row never occur in a NAL unit).
"""

import re
from collections.abc import Iterator

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.extent.extent import Extent, missing

_NEEDED = frozenset({b"ftyp", b"meta", b"mdat"})
_HEADER, _LONG_HEADER, _FULL_BOX = 8, 16, 4
_MOST_EXTENTS = 1 << 16  # of a damaged file; a photo of 48 megapixels in tiles has about 200
_IN_FILE = 0  # an item's construction method: offsets in the file
_HEVC, _AV1 = b"hvc1", b"av01"
_HEVC_HOLE = bytes(16)  # more than three, since a NAL unit's length may begin with zeros
_AV1_HOLE = re.compile(rb"\0{512}")  # AV1 has no such rule: pictures of one colour may have zeros


def find_extent(data: bytes) -> Extent:
    """Return the extent of an image of this family. Raise PhotoError with `truncated` where it is not all there,
    or `corrupt`."""
    end = last = 0
    has_meta = False
    items: list[tuple[bytes, int, int]] = []
    is_certain = True
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind not in _NEEDED:
            continue
        if end > len(data):
            raise missing()
        last = max(last, end)
        if kind == b"meta" and not has_meta:  # a file has one
            has_meta = True
            items = _read_items(data, start + _FULL_BOX, end)
            last = max(last, max((item_end for _, _, item_end in items), default=0))
    if not has_meta:
        raise missing("the photo ends inside its header")
    if last > len(data):
        raise missing()
    left = len(data)  # parts do not overlap; those of a damaged file may
    for kind, start, end in items:
        left -= end - start
        if left < 0:
            break
        if kind == _HEVC and data.find(_HEVC_HOLE, start, end) >= 0:
            raise missing("a part of the photo is not written: there are zeros in its place")
        is_certain = is_certain and not (kind == _AV1 and _AV1_HOLE.search(data, start, end))
    return Extent(last, is_certain)


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


def _read_items(data: bytes, at: int, limit: int) -> list[tuple[bytes, int, int]]:
    """Return type, start and end of each part of the items that lie in the file itself, by the boxes in a meta box."""
    types: dict[int, bytes] = {}
    parts: list[tuple[int, int, int]] = []
    for kind, start, end in _boxes(data, at, limit):
        if kind == b"iinf":
            first = start + _FULL_BOX + (4 if data[start : start + 1] > b"\0" else 2)
            types = {
                int.from_bytes(data[entry + 4 : entry + after]): data[entry + after + 2 : entry + after + 6]
                for box, entry, _ in _boxes(data, first, end)
                if box == b"infe"
                for after in [8 if data[entry : entry + 1] > b"\x02" else 6]
            }
        if kind == b"iloc":
            try:
                parts = list(_locate_items(data[start:end]))
            except IndexError as error:
                raise PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged") from error
    return [(types.get(number, b""), start, end) for number, start, end in parts]


def _locate_items(box: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield an item's number, and where a part of it begins and ends."""
    version = box[0]
    offset_size, length_size = box[4] >> 4, box[4] & 15
    base_size, index_size = box[5] >> 4, (box[5] & 15 if version else 0)
    wide = 4 if version == 2 else 2  # bytes of counts and identifiers
    count, at = int.from_bytes(box[6 : 6 + wide]), 6 + wide
    left = _MOST_EXTENTS
    for _ in range(count):
        if at >= len(box):
            return
        number, at = int.from_bytes(box[at : at + wide]), at + wide
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
                yield number, base + offset, base + offset + length
