"""How much memory decoding a photo will take, estimated from its header, by measured figures of its kind.

`python -m tests.benchmarks.decode_memory` measures them; each estimate is above what was measured.
"""

import struct
from typing import NamedTuple

from dogid.errors import PhotoError
from dogid.photo import formats
from dogid.photo.extent.jpeg import JpegHeader, count_samples, read_header
from dogid.photo.jpeg import choose_scale

# Bytes of any decoding, beside what grows with the photo: tables, the small image, Python's objects.
_BASE = 3 << 20
_SCAN = b"\xff\xda"
# Scans of a JPEG. Cameras and programs write at most a dozen. Raising this lets the daemon's own threads be kept busy
# by photos made for that; lowering it decodes ordinary progressive photos in a process of their own.
_MOST_SCANS = 64
# Bytes of a file that is walked over block by block, in Python: 2 M blocks at worst, for a second or two. Raising this
# lets photos made for that keep the daemon's own threads busy; lowering it decodes ordinary ones elsewhere.
_LONG = 8 << 20
_HEADER = 1 << 16  # bytes in which the properties of a photo are looked for
_MOST_PROPERTIES = 1000  # of a HEIC: less overlooks images, more lets a hostile file keep a processor longer
# Of a PNG, in bytes: what Pillow unpacks of one compressed text, and of all.
_TEXT, _MOST_TEXT = 1 << 20, 64 << 20
# Of a TIFF, read in the caller's thread before any deadline. Raising these lets a hostile file keep it busy for longer;
# lowering them gives too little memory to a photo behind many others.
_MOST_DIRECTORIES, _MOST_VALUES = 64, 1 << 14
# A pixel, by PNG's colour types: grey, colours, palette, grey or colours with transparency
_PNG_BYTES = {0: 5.5, 2: 4.5, 3: 5.5, 4: 13.0, 6: 9.0}


class DecodeCost(NamedTuple):
    """What decoding a photo takes."""

    memory: int
    """Bytes at the peak, without those of the file."""
    needs_process: bool
    """Whether the header cannot vouch for memory or time, so that another process should decode it."""
    jpeg_header: JpegHeader | None = None
    """Of a JPEG: `decode` need not walk over it again."""


_BROKEN = (struct.error, IndexError, ValueError, ZeroDivisionError, StopIteration)
_UNKNOWN = DecodeCost(_BASE, needs_process=False)


def estimate_cost(data: bytes, size: tuple[int, int]) -> DecodeCost:
    """Return what decoding a photo to size = (width, height) takes. One that is damaged costs what it seems to.

    Takes microseconds and no memory for all but TIFFs, whose first directories are read.
    """
    kind = formats.identify(data)
    if kind is None:
        return _UNKNOWN
    try:
        if kind == formats.JPEG:
            return _estimate_jpeg(data, size)
        memory, is_known = _estimate_tiff(data, size) if kind == formats.TIFF else _ESTIMATES[kind](data)
    except (PhotoError, *_BROKEN):  # the decoder finds the same, and explains it
        memory, is_known = 0, kind not in _OPAQUE
    return DecodeCost(_BASE + memory, needs_process=not is_known or _has_many_blocks(data, kind, memory))


def _estimate_jpeg(data: bytes, size: tuple[int, int]) -> DecodeCost:
    header = read_header(data)
    is_slow = not header.is_one_scan and (len(data) > _LONG or data.count(_SCAN, header.scan) > _MOST_SCANS)
    memory = _estimate_jpeg_memory(data, header, size)
    return DecodeCost(_BASE + memory, needs_process=is_slow, jpeg_header=header)


def _has_many_blocks(data: bytes, kind: str, memory: int) -> bool:
    """Whether a file may consist of so many blocks, each of a few bytes, that walking over them takes long."""
    return kind in _BLOCKS and len(data) > _LONG and len(data) > memory // 2


def _estimate_jpeg_memory(data: bytes, header: JpegHeader, size: tuple[int, int]) -> int:
    scale = choose_scale(header, (max(size), max(size)))
    pixels = (header.size[0] // scale + 1) * (header.size[1] // scale + 1)
    # four bytes a pixel, twice where they are converted or turned; all coefficients, of two bytes, where scans add up
    output = pixels * 8
    return output if header.is_one_scan else output + 2 * count_samples(data, header)


# Each of the following returns bytes of memory, and whether the file vouches for them: there is nothing unusual in it
# by which its decoder may come to another picture than the one found here.
def _estimate_png(data: bytes) -> tuple[int, bool]:
    from dogid.photo.png_header import read_png_header  # with the first such photo

    header = read_png_header(data)
    each = 10.0 if (header.depth, header.colours) == (16, 0) else _PNG_BYTES.get(header.colours, 13.0)
    if header.colours in (0, 2, 3) and header.has_transparency:
        each += 8  # turned to four channels, and their colours multiplied by transparency
    texts = min(header.compressed_texts * _TEXT, _MOST_TEXT) + 2 * header.kept
    return int(header.width * header.height * each) + texts, header.is_plain


def _estimate_webp(data: bytes) -> tuple[int, bool]:
    from dogid.photo import webp  # with the first such photo
    from dogid.photo.webp_header import read_webp_header

    header = read_webp_header(data)
    pixels = header.size[0] * header.size[1]
    if header.is_animated or not webp.is_available():
        return 17 * pixels, True
    is_known = not header.may_hide_picture
    if header.is_lossless or not is_known:
        return pixels * 5, is_known
    return header.size[0] * 64 + (2 * pixels if header.has_alpha else 0), is_known


def _estimate_bmp(data: bytes) -> tuple[int, bool]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    return int(abs(width * height) * (9 if bits in (16, 32) else 5)) + len(data), True


def _estimate_gif(data: bytes) -> tuple[int, bool]:
    from dogid.photo.gif_header import read_gif_size  # with the first such photo

    (width, height), is_known = read_gif_size(data)
    return int(width * height * 10), is_known


def _estimate_tiff(data: bytes, size: tuple[int, int]) -> tuple[int, bool]:
    from dogid.photo.extent import tiff as layout_of  # with the first such photo
    from dogid.photo.tiff import find_preview

    layout = layout_of.read_layout(data, most_directories=_MOST_DIRECTORIES, most_values=_MOST_VALUES)
    preview = find_preview(data, layout)
    if preview is not None:
        header = read_header(preview.data)
        return len(preview.data) + _estimate_jpeg_memory(preview.data, header, size), False
    most = 0
    for page in (*layout.pages, *layout.inner):
        pixels = page.first(layout_of.WIDTH) * page.first(layout_of.HEIGHT)
        depth = max(page.tags.get(layout_of.BITS, (1,)))
        most = max(most, pixels * (10 if depth > 8 else 9))
    return most + len(data), False


def _estimate_isobmff(data: bytes) -> tuple[int, bool]:
    """Of HEIC and AVIF, by the largest size among the properties of its images (ISO/IEC 23008-12, 6.5.3)."""
    most, at = 0, 0
    for _ in range(_MOST_PROPERTIES):
        at = data.find(b"ispe", at, _HEADER)
        if at < 0 or at + 16 > len(data):
            break
        width, height = struct.unpack_from(">II", data, at + 8)
        most, at = max(most, width * height), at + 4
    return most * 14 + len(data), False


_OPAQUE = frozenset({formats.TIFF, formats.HEIC, formats.AVIF})
"""Formats whose containers can hold anything: what their header says need not be what is decoded."""
_BLOCKS = frozenset({formats.PNG, formats.GIF})
_ESTIMATES = {
    formats.PNG: _estimate_png,
    formats.WEBP: _estimate_webp,
    formats.BMP: _estimate_bmp,
    formats.GIF: _estimate_gif,
    formats.HEIC: _estimate_isobmff,
    formats.AVIF: _estimate_isobmff,
}
