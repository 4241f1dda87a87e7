"""Does a photo's data look complete? Judged by the format's own end marks and lengths, without decoding.

Sources: JPEG, ITU-T T.81 B.1 (EOI); PNG, W3C PNG 3rd edition 5.6 (IEND); GIF89a 27 (trailer); WebP, RFC 9649 2.4
(RIFF size); BMP, BITMAPFILEHEADER.bfSize; TIFF 6.0, section 2 (image file directory; no end mark).
"""

from enum import Enum

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_GIF_STARTS, _GIF_END = (b"GIF87a", b"GIF89a"), b";"
_TIFF_STARTS = {b"II*\0": "little", b"MM\0*": "big"}
_SIGNATURES = (b"\xff\xd8\xff", _PNG_START, *_GIF_STARTS, b"RIFF", b"BM", *_TIFF_STARTS)

_END_WITHIN = 1 << 16  # an end mark may be followed by what cameras and editors append
_RESERVED_ZEROS = 16  # zeros at an end that make a file look reserved but not yet written
_TIFF_ENTRY = 12  # bytes


class Completeness(Enum):
    """Whether the data of a photo that decodes has been written to its end."""

    COMPLETE = "complete"
    DOUBTFUL = "doubtful"
    """It may be unwritten, or be so by nature (black pixels): worth waiting whether it changes."""
    UNWRITTEN = "unwritten"
    """Zeros where the format's end mark belongs."""


def check_completeness(data: bytes) -> Completeness:
    """Given the data of a photo that decodes, return whether its end has been written."""
    if data[-_RESERVED_ZEROS:].strip(b"\0"):
        return Completeness.DOUBTFUL if _lacks_end_mark(data) else Completeness.COMPLETE
    if _has_end_mark(data):
        return Completeness.UNWRITTEN if is_cut_off(data.rstrip(b"\0")) else Completeness.COMPLETE
    return Completeness.DOUBTFUL


def is_cut_off(data: bytes) -> bool | None:
    """Whether data of a known format is cut off; None where the format is not known or has no end mark."""
    if data.startswith(_JPEG_START):
        return _JPEG_END not in data[-_END_WITHIN:]
    if data.startswith(_PNG_START):
        return _PNG_END not in data[-_END_WITHIN:]
    if data.startswith(_GIF_STARTS):
        return not data.rstrip(b"\0").endswith(_GIF_END)
    if data.startswith(b"RIFF") and data[8:12] in (b"WEBP", b""):
        return len(data) < 12 or len(data) < int.from_bytes(data[4:8], "little") + 8
    if data.startswith(b"BM"):
        return len(data) < 14 or len(data) < int.from_bytes(data[2:6], "little")
    if data.startswith(tuple(_TIFF_STARTS)):
        return _lacks_directory(data) or None
    return _is_stub(data) or _starts_with_zeros(data) or None


def _has_end_mark(data: bytes) -> bool:
    return data.startswith((_JPEG_START, _PNG_START, *_GIF_STARTS))


def _lacks_end_mark(data: bytes) -> bool:
    # a JPEG whose pixels are all there but not its mark decodes: what comes after the pixels does not matter, and
    # videos that phones append are longer than we look back
    return not data.startswith(_JPEG_START) and is_cut_off(data) is True


def _lacks_directory(data: bytes) -> bool:
    """Whether a TIFF's first directory, which many writers put at the end, is not there or blank."""
    order = _TIFF_STARTS[data[:4]]
    at = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    count = int.from_bytes(data[at : at + 2], order)  # type: ignore[arg-type]
    return at < 8 or count == 0 or at + 2 + count * _TIFF_ENTRY > len(data)


def _is_stub(data: bytes) -> bool:
    """Whether data is the beginning of a known format's signature and no more."""
    return any(signature.startswith(data) for signature in _SIGNATURES)


def _starts_with_zeros(data: bytes) -> bool:
    """Whether the beginning is still to be written: some programs reserve the place, or write the end first."""
    return not data[:_RESERVED_ZEROS].strip(b"\0")
