"""Where the parts of a JPEG are: segments by their lengths, then the entropy-coded data of its scans.

Source: ITU-T T.81, B.1 (markers) and G.1.1.1.1 (progressive scans).
"""

import re
from typing import NamedTuple

from dogid.errors import PhotoCode, PhotoError

_MARK, _SOI, _EOI, _SOS, _DHT, _RESTARTS = 0xFF, 0xD8, 0xD9, 0xDA, 0xC4, range(0xD0, 0xD8)
_AC = 1  # class of a Huffman table
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # all but DHT, JPG and DAC
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_WITHOUT_LENGTH = frozenset({0x00, 0x01, _SOI, *_RESTARTS})
_SEGMENTS = frozenset({0xC4, 0xCC, _SOS, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE})  # that may follow a scan
_COEFFICIENTS = frozenset(range(64))  # of a block

# Of a header that may be damaged. Higher lets such a file take more memory and time; 100 MB of XMP would need 1,600.
_MOST_SEGMENTS = 2000

HOLE = bytes(64)
"""Shorter runs of zeros occur in the data of black pictures, and damage little."""
# Progressive scans hold bits of many blocks in a row, which may be zeros: libjpeg writes up to 1000 of them.
_LONG_HOLE = bytes(256)

_SCAN_OR_END = re.compile(rb"\xff[\xd9\xda]")
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # that ends entropy-coded data


class Segment(NamedTuple):
    """One segment of a JPEG's header, from its marker to before the next."""

    marker: int
    at: int
    end: int


class JpegHeader(NamedTuple):
    """What stands before a JPEG's first scan."""

    segments: tuple[Segment, ...]
    """All of them; the last is the first scan's SOS."""
    process: int
    """The marker of the frame: 0xC0 baseline, 0xC2 progressive, 0xC3 lossless, ..."""
    precision: int
    """Bits of a sample."""
    size: tuple[int, int]
    """Width and height as stored."""
    components: int
    is_one_scan: bool
    """Whether the first scan holds all of the picture."""

    @property
    def scan(self) -> int:
        """Where the entropy-coded data begin."""
        return self.segments[-1].end

    @property
    def is_progressive(self) -> bool:
        """Whether scans refine each other."""
        return self.process in _PROGRESSIVE


def count_samples(data: bytes, header: JpegHeader) -> int:
    """Return the number of a JPEG's samples, of all its components, of which colours may have fewer than pixels."""
    frame = next(segment for segment in header.segments if segment.marker == header.process)
    factors = [(data[at] >> 4, data[at] & 15) for at in range(frame.at + 11, frame.end, 3)][: header.components]
    widest, highest = max(across for across, _ in factors), max(down for _, down in factors)
    width, height = (-(-side // 64) * 64 for side in header.size)  # whole blocks
    return sum(width * height * across * down // (widest * highest) for across, down in factors)


def read_header(data: bytes) -> JpegHeader:
    """Return the header of a JPEG; thumbnails in it are skipped as part of their segment.

    Raise PhotoError with `truncated` where the data end in it, with an end mark or without; with `corrupt` where it has
    more segments than any photo.
    """
    try:
        return _read_header(data)
    except IndexError as error:
        raise PhotoError(PhotoCode.TRUNCATED, "the photo ends inside its header") from error


def _read_header(data: bytes) -> JpegHeader:
    segments: list[Segment] = []
    process = precision = components = 0
    size = 0, 0
    at = 2
    while True:
        while data[at] != 0xFF:  # bytes between segments: decoders skip them, as they do fill bytes
            at = data.find(b"\xff", at)
            if at < 0:
                raise IndexError
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        if marker == _EOI:
            raise PhotoError(PhotoCode.TRUNCATED, "the photo ends before its pixels")
        end = at + 2 + (data[at + 2] << 8 | data[at + 3])
        if end >= len(data):
            raise IndexError
        segments.append(Segment(marker, at, end))
        if len(segments) > _MOST_SEGMENTS:
            raise PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged: it has too many segments")
        if marker in _FRAMES:
            process, precision, components = marker, data[at + 4], data[at + 9]
            size = data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6]
        elif marker == _SOS:
            is_one_scan = data[at + 4] == components and process not in _PROGRESSIVE
            return JpegHeader(tuple(segments), process, precision, size, components, is_one_scan)
        at = end


def lacks_scans(data: bytes, header: JpegHeader) -> bool:
    """Whether a JPEG ends between two of its scans, which decodes without an error: to a coarse picture."""
    if header.is_one_scan:
        return False
    missing: dict[int, frozenset[int]] = {}
    for found in _SCAN_OR_END.finditer(data, header.segments[-1].at):
        at = found.start()
        if data[at + 1] == _EOI:
            break
        count = data[at + 4] if at + 4 < len(data) else 0
        parameters = at + 5 + 2 * count
        if not 1 <= count <= 4 or parameters + 3 > len(data) or int.from_bytes(data[at + 2 : at + 4]) != 6 + 2 * count:
            continue  # these two bytes inside a table
        exact = _COEFFICIENTS
        if header.is_progressive:
            is_last_bit = data[parameters + 2] & 0x0F == 0
            exact = frozenset(range(data[parameters], data[parameters + 1] + 1)) if is_last_bit else frozenset()
        for component in data[at + 5 : parameters : 2]:
            missing[component] = missing.get(component, _COEFFICIENTS) - exact
    return len(missing) < header.components or any(missing.values())


def find_hole(data: bytes, header: JpegHeader) -> int | None:
    """Return where zeros stand in the place of the data of a JPEG that decodes; None where there are none.

    Zeros are not taken for a hole where they can be pixels: where the code of an empty block is zeros, of which black
    pictures of programs that optimise their tables are full, and in progressive scans of mean values (DC).
    """
    if data.find(HOLE, header.scan) < 0:
        return None
    empty_blocks: dict[int, bool] = {}  # by number of an AC table: whether zeros are the code of an empty block
    for segment in header.segments:
        _note_tables(data, segment.marker, segment.at, segment.end, empty_blocks)
    scan, at = header.segments[-1].at, header.scan
    while True:
        found = _MARKER.search(data, at)
        end = found.start() if found else len(data)
        hole = data.find(_LONG_HOLE if header.is_progressive else HOLE, at, end)
        if hole >= 0 and not _may_have_zeros(data, scan, header, empty_blocks):
            return hole
        at = end
        while at == end or data[scan + 1] != _SOS:  # on to the next scan
            scan, after = at, at + 2 + int.from_bytes(data[at + 2 : at + 4])
            if after >= len(data) or data[at] != _MARK or data[at + 1] not in _SEGMENTS:
                return None
            _note_tables(data, data[at + 1], at, after, empty_blocks)
            at = after


def _note_tables(data: bytes, marker: int, at: int, end: int, empty_blocks: dict[int, bool]) -> None:
    at += 4
    while marker == _DHT and at + 17 < end:
        if data[at] >> 4 == _AC:
            empty_blocks[data[at] & 0x0F] = data[at + 17] & 0x0F == 0  # the first symbol's code is zeros
        at += 17 + sum(data[at + 1 : at + 17])


def _may_have_zeros(data: bytes, scan: int, header: JpegHeader, empty_blocks: dict[int, bool]) -> bool:
    """Whether long runs of zeros can be pixels in the scan whose SOS segment begins there."""
    count = data[scan + 4]
    parameters = scan + 5 + 2 * count
    if header.is_progressive and data[parameters] == 0:  # a mean that does not change, or has a bit of 0
        return True
    used = {selectors & 0x0F for selectors in data[scan + 6 : parameters : 2]}
    return all(empty_blocks.get(number, True) for number in used)


def find_end(data: bytes, header: JpegHeader) -> tuple[int, bool]:
    """Return where the last scan's data end, and whether the end mark (EOI) stands there.

    Slow where a photo has many scans: ask only where a decoder was not content.
    """
    at = header.scan
    while True:
        found = _MARKER.search(data, at)
        if found is None:
            return len(data), False
        at = found.start()
        marker = data[at + 1]
        if marker == _EOI:
            return at, True
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if header.is_one_scan or marker not in _SEGMENTS or end > len(data):
            return at, False
        at = end
