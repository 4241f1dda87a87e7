"""What a WebP's header says, without decoding. Source: RFC 9649, 2.5 to 2.7, 3.4; RFC 6386, 9.1."""

from dataclasses import dataclass

_FIRST, _CHUNK = 12, 8  # where the first chunk begins; bytes of a chunk's header
_ANIMATION, _XMP, _EXIF, _ALPHA = 0x02, 0x04, 0x08, 0x10  # flags of VP8X
_SIDE = 0x3FFF  # 14 bits
# Lower overlooks pictures, EXIF and XMP behind many unknown chunks, higher lets a hostile file keep a processor longer.
_MOST_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class WebpHeader:
    """A WebP's header."""

    size: tuple[int, int]
    """Width and height as stored; zeros where they are not there."""
    has_alpha: bool
    is_lossless: bool
    may_hide_picture: bool
    """Whether no picture is among the chunks that were looked at, but there are more."""
    is_animated: bool
    exif: tuple[int, int] | None
    """Where its EXIF data begin and end."""
    xmp: tuple[int, int] | None
    """Where its XMP begins and ends."""


def read_webp_header(data: bytes) -> WebpHeader:
    """Return the header of a WebP, as far as it is there: its picture is the first, as for libwebp."""
    size, flags, exif, xmp = (0, 0), 0, None, None
    has_alpha = is_lossless = has_picture = False
    at = _FIRST
    for _ in range(_MOST_CHUNKS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        content = data[at + _CHUNK : at + _CHUNK + 10]
        if at == _FIRST and kind == b"VP8X" and len(content) == 10:
            flags = content[0]
            size = 1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little")
        elif kind in (b"VP8 ", b"VP8L"):
            if not has_picture and (picture := _read_picture(kind, content)) is not None:
                size, bit = picture
                is_lossless, has_picture = kind == b"VP8L", True
                has_alpha = has_alpha or (bit and not flags)
        elif kind == b"ALPH" and not has_picture:
            has_alpha = True
        # without its flag, libwebp does not give Pillow either of these
        elif kind == b"EXIF" and exif is None and flags & _EXIF:
            exif = at + _CHUNK, at + _CHUNK + length
        elif kind == b"XMP " and xmp is None and flags & _XMP:
            xmp = at + _CHUNK, at + _CHUNK + length
        if not kind or (not flags & (_EXIF | _XMP) and kind in (b"VP8 ", b"VP8L")):
            break
        at += _CHUNK + length + length % 2
    has_alpha = has_alpha or bool(flags & _ALPHA)
    may_hide_picture = not has_picture and at < len(data)
    return WebpHeader(size, has_alpha, is_lossless, may_hide_picture, bool(flags & _ANIMATION), exif, xmp)


def _read_picture(kind: bytes, content: bytes) -> tuple[tuple[int, int], bool] | None:
    """Return a picture's size and whether it says that it has transparency; None where its header is not there."""
    if kind == b"VP8 " and len(content) == 10:
        size = int.from_bytes(content[6:8], "little") & _SIDE, int.from_bytes(content[8:10], "little") & _SIDE
        return size, False
    if kind == b"VP8L" and len(content) >= 5:
        bits = int.from_bytes(content[1:5], "little")
        return (1 + (bits & _SIDE), 1 + (bits >> 14 & _SIDE)), bool(bits >> 28 & 1)
    return None
