"""Where a GIF ends: its blocks up to the trailer. Source: GIF89a specification, sections 17 to 27."""

import re

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.extent.extent import Extent, missing

_HEADER, _DESCRIPTOR = 13, 10  # bytes, with the screen's descriptor; of an image's descriptor
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_HAS_TABLE, _TABLE_SIZE = 0x80, 0x07
_NOT_ZERO = re.compile(rb"[^\0]")


def find_extent(data: bytes) -> Extent:
    """Return a GIF's extent. Raise PhotoError with `truncated` where a block is not all there, or `corrupt`."""
    try:
        return _walk(data)
    except IndexError as error:
        raise missing() from error


def _walk(data: bytes) -> Extent:
    at = _HEADER + _table_length(data[10])
    images = 0
    while at < len(data):
        kind = data[at]
        if kind == _TRAILER:
            return Extent(at + 1)
        if kind == _EXTENSION:
            at = _skip_blocks(data, at + 2)
        elif kind == _IMAGE:
            at = _skip_blocks(data, at + _DESCRIPTOR + _table_length(data[at + 9]) + 1)
            images += 1
        elif kind:
            raise PhotoError(PhotoCode.CORRUPT, "the photo is damaged: its blocks do not follow each other")
        else:  # padding, skipped at once: the time stays linear in the file's length
            following = _NOT_ZERO.search(data, at)
            if following is None:
                raise missing("the end of the photo is not written")
            at = following.start()
    if not images or at > len(data):
        raise missing()
    return Extent(at, is_certain=False)  # some programs leave the trailer out


def _table_length(flags: int) -> int:
    return 3 << (flags & _TABLE_SIZE) + 1 if flags & _HAS_TABLE else 0


def _skip_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += length + 1
    return at + 1
