"""Files of ten megabytes that are made to keep whatever walks through their structure for long."""

import struct
from collections.abc import Callable

from tests.support.photos import photo

LENGTH = 10_000_000
"""Of each, in bytes, or a little more."""


def _gif(blocks: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + blocks


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _heic(boxes: bytes) -> bytes:
    return _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + boxes


def _meta(items: bytes) -> bytes:
    return _box(b"meta", bytes(4) + _box(b"iloc", items))


def _items(count: int, extents: int) -> bytes:
    """An item location box's content, of version 0: offsets and lengths take no bytes."""
    return bytes(6) + struct.pack(">H", min(count, 65535)) + struct.pack(">HHH", 1, 0, extents) * count + b"\0"


def _directory(following: int, *entries: tuple[int, int, int, int]) -> bytes:
    return (
        struct.pack("<H", len(entries))
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + struct.pack("<I", following)
    )


def _tiff(content: bytes) -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + content


def _raw_with_previews(count: int) -> bytes:
    """A camera's raw file whose many directories all have a preview, each another one of nearly the whole file."""
    size = 2 + 3 * 12 + 4
    start = 8 + count * size
    directories = (
        _directory(
            8 + (number + 1) * size if number + 1 < count else 0,
            (513, 4, 1, start),
            (514, 4, 1, LENGTH - number),
            (50706, 1, 4, 0x0401),
        )
        for number in range(count)
    )
    return _tiff(b"".join(directories) + photo(1) + bytes(LENGTH))


HOSTILE_PHOTOS: dict[str, Callable[[], bytes]] = {
    "gif-padding": lambda: _gif(bytes(LENGTH) + b"\x01"),
    "gif-blocks": lambda: _gif(b"!\xfe" + b"\x01x" * (LENGTH // 2)),
    "png-chunks": lambda: photo(1, "PNG")[:33] + (b"\0\0\0\0teXt" + bytes(4)) * (LENGTH // 12),
    "heic-boxes": lambda: _heic(struct.pack(">I4s", 8, b"free") * (LENGTH // 8)),
    "heic-extents-without-length": lambda: _heic(_meta(_items(LENGTH // 6, 65535))),
    "heic-many-metas": lambda: _heic(_meta(_items(1, 65535)) * (LENGTH // 60)),
    "heic-items": lambda: _heic(_meta(_items(LENGTH // 6, 0))),
    "tiff-directories": lambda: _tiff(
        b"".join(_directory(8 + 18 * (n + 1), (254, 4, 1, 1)) for n in range(LENGTH // 18))
    ),
    "tiff-inner-directories": lambda: _tiff(
        _directory(0, (330, 4, 1_000_000, 26)) + struct.pack("<I", 8) * (LENGTH // 4)
    ),
    "raw-previews": lambda: _raw_with_previews(1000),
    "jpeg-segments": lambda: b"\xff\xd8" + b"\xff\xe5\0\x02" * (LENGTH // 4) + photo(1)[2:],
    "jpeg-fill": lambda: b"\xff\xd8" + b"\xff" * LENGTH,
    "jpeg-exif": lambda: b"\xff\xd8" + b"\xff\xe1\0\x09Exif\0\0x" * (LENGTH // 11) + photo(1)[2:],
    "jpeg-scans": lambda: photo(1)[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * (LENGTH // 10),
}
"""What makes each file, by what it abuses."""
