"""The directories of a TIFF, and where the last of what they point at ends.

Sources: TIFF 6.0, section 2 (directories) and the tags of strips and tiles; BigTIFF Design (Aware Systems); TIFF
Technical Note 1 (SubIFDs); TIFF 6.0, section 22 (old-style JPEG).
"""

import struct
from collections import deque
from dataclasses import dataclass
from typing import Literal

from dogid.photo.extent.extent import Extent, missing

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
# Of a file that may be damaged. Higher lets such a file keep a processor longer, lower leaves out a book's last pages.
_MOST_DIRECTORIES = 1000
_MOST_VALUES = 1 << 20  # entries and values, of all directories

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR = 256, 257, 258, 259, 262, 277, 284
SUBFILE_TYPE, ORIENTATION, STRIP_OFFSETS, STRIP_LENGTHS, STRIP_ROWS = 254, 274, 273, 279, 278
TILE_OFFSETS, TILE_LENGTHS, SUB_DIRECTORIES, JPEG_OFFSET, JPEG_LENGTH, DNG_VERSION = 324, 325, 330, 513, 514, 50706
YCBCR_SUBSAMPLING = 530
_IMAGE = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR, YCBCR_SUBSAMPLING, ORIENTATION}
_PLACES = {STRIP_OFFSETS, STRIP_LENGTHS, STRIP_ROWS, TILE_OFFSETS, TILE_LENGTHS, JPEG_OFFSET, JPEG_LENGTH}
_NEEDED = frozenset({*_IMAGE, *_PLACES, SUBFILE_TYPE, SUB_DIRECTORIES, DNG_VERSION})


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory: an image of the file."""

    tags: dict[int, tuple[int, ...]]
    """The values of those tags that are named above."""
    end: int
    """Where the last byte is that it needs: of its values, its strips, tiles or embedded JPEG."""

    def first(self, tag: int, default: int = 0) -> int:
        """Return a tag's first value."""
        return (self.tags.get(tag) or (default,))[0]


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """All directories of a TIFF."""

    order: Literal["little", "big"]
    pages: tuple[Directory, ...]
    """The chain of directories, as decoders number them."""
    inner: tuple[Directory, ...]
    """Those that others point at (SubIFDs)."""


def find_extent(data: bytes) -> Extent:
    """Return a TIFF's extent. Raise PhotoError with `truncated` where something that it points at is not there."""
    layout = read_layout(data)
    return Extent(max(directory.end for directory in (*layout.pages, *layout.inner)))


def read_layout(
    data: bytes, *, most_directories: int = _MOST_DIRECTORIES, most_values: int = _MOST_VALUES
) -> TiffLayout:
    """Return a TIFF's directories, at most so many, with so many entries and values together.

    Raise PhotoError with `truncated` where something they point at is not there.
    """
    reader = _Reader(data, most_values)
    pages: list[Directory] = []
    inner: list[Directory] = []
    at = reader.first
    seen: set[int] = set()
    while at and at not in seen and len(seen) < most_directories:
        seen.add(at)
        directory, at = reader.read(at)
        pages.append(directory)
    waiting = deque(at for page in pages for at in page.tags.get(SUB_DIRECTORIES, ()))
    while waiting and len(seen) < most_directories:
        at = waiting.popleft()
        if at in seen:
            continue
        seen.add(at)
        directory, _ = reader.read(at)
        inner.append(directory)
        waiting += directory.tags.get(SUB_DIRECTORIES, ())
    return TiffLayout(reader.order, tuple(pages), tuple(inner))


class _Reader:
    def __init__(self, data: bytes, most_values: int) -> None:
        self.data = data
        self._left = most_values
        self.order: Literal["little", "big"] = "big" if data.startswith(b"MM") else "little"
        self._sign = ">" if self.order == "big" else "<"
        is_big = b"\x2b" in data[2:4]
        # bytes of a pointer, of a directory's count of entries, of an entry
        self._pointer, self._count, self._entry = (8, 8, 20) if is_big else (4, 2, 12)
        self.first = self._integer(8 if is_big else 4, self._pointer)
        if self.first < 8:
            raise missing("the photo's directory is not written")

    def _integer(self, at: int, length: int) -> int:
        if at + length > len(self.data):
            raise missing("the photo ends before its directory")
        return int.from_bytes(self.data[at : at + length], self.order)

    def read(self, at: int) -> tuple[Directory, int]:
        """Return the directory that begins there, and where the next one is; 0 for none."""
        count = self._integer(at, self._count)
        first = at + self._count
        end = first + count * self._entry
        if count == 0:
            raise missing("the photo's directory is not written")
        if end > len(self.data):
            raise missing("the photo ends before its directory")
        # the last directory's pointer is left out by some programs
        following = self._integer(end, self._pointer) if end + self._pointer <= len(self.data) else 0
        tags: dict[int, tuple[int, ...]] = {}
        last = end
        self._left -= count
        if self._left < 0:
            return Directory(tags, last), 0
        for entry in range(first, end, self._entry):
            last = max(last, self._read_entry(entry, tags))
        last = max(last, _pixels_end(tags))
        if last > len(self.data):
            raise missing()
        return Directory(tags, last), following

    def _read_entry(self, at: int, tags: dict[int, tuple[int, ...]]) -> int:
        """Add an entry's values to tags where they are needed; return where they end."""
        tag, kind = struct.unpack_from(f"{self._sign}HH", self.data, at)
        count = int.from_bytes(self.data[at + 4 : at + 4 + self._pointer], self.order)
        start = at + 4 + self._pointer
        length = count * _TYPE_SIZES.get(kind, 0)
        if length > self._pointer:
            start = self._integer(start, self._pointer)
        if start + length > len(self.data):
            raise missing()
        if tag in _NEEDED and kind in _INTEGERS and 0 < count <= self._left:
            self._left -= count
            tags[tag] = struct.unpack_from(f"{self._sign}{count}{_INTEGERS[kind]}", self.data, start)
        return start + length


def _pixels_end(tags: dict[int, tuple[int, ...]]) -> int:
    ends = [0]
    lengths = tags.get(STRIP_LENGTHS, ())
    rows = tags.get(STRIP_ROWS, (0,))[0] or tags.get(HEIGHT, (0,))[0]
    full = _raw_strip_length(tags, rows)
    for number, at in enumerate(tags.get(STRIP_OFFSETS, ())):
        needed = _raw_strip_length(tags, rows, number) if full else None
        length = lengths[number] if number < len(lengths) else needed or 0
        # some programs give the last strip the length of the others
        ends.append(at + (length if needed is None else min(length, needed)))
    ends += (at + count for at, count in zip(tags.get(TILE_OFFSETS, ()), tags.get(TILE_LENGTHS, ()), strict=False))
    ends += (at + count for at, count in zip(tags.get(JPEG_OFFSET, ()), tags.get(JPEG_LENGTH, ()), strict=False))
    return max(ends)


def _raw_strip_length(tags: dict[int, tuple[int, ...]], rows: int, number: int = 0) -> int:
    """Return how many bytes the pixels of an uncompressed strip take; 0 where it is compressed."""
    if tags.get(COMPRESSION, (1,))[0] != 1 or rows <= 0:
        return 0
    height, planar = tags.get(HEIGHT, (0,))[0], tags.get(PLANAR, (1,))[0] == 2
    bits, samples = tags.get(BITS, (1,)), tags.get(SAMPLES, (1,))[0]
    row = (tags.get(WIDTH, (0,))[0] * bits[0] * (1 if planar else samples) + 7) // 8
    strips = -(-height // rows)  # of one plane
    first = number % strips * rows if strips else 0
    return row * max(0, min(rows, height - first))
