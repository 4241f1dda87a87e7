"""Does a photo's data look whole? Told from the format's own end marks and lengths, without decoding.

Sources: JPEG, ITU-T T.81 B.1 (EOI); PNG, W3C PNG 3rd edition 5.6 (IEND); GIF89a 27 (trailer); WebP, RFC 9649 2.4
(RIFF size); BMP, BITMAPFILEHEADER.bfSize; TIFF 6.0, section 2 (no end mark).
"""

_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"
_BLANK_RUN = 16  # zeros at the end that make a file look reserved but not yet written


def ends_early(data: bytes) -> bool | None:
    """Whether data of a known format is cut off; None where the format is not known or has no end mark."""
    if data.startswith(b"\xff\xd8"):
        return _JPEG_END not in data[-65536:]
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _PNG_END not in data[-65536:]
    if data.startswith((b"GIF87a", b"GIF89a")):
        return not data.rstrip(b"\0").endswith(b";")
    if data.startswith(b"RIFF") and data[8:12] in (b"WEBP", b""):
        return len(data) < 12 or len(data) < int.from_bytes(data[4:8], "little") + 8
    if data.startswith(b"BM"):
        return len(data) < 14 or len(data) < int.from_bytes(data[2:6], "little")
    return _is_stub(data) or None


def has_blank_end(data: bytes) -> bool:
    """Whether the file ends in zeros that do not follow the format's end mark: space reserved by a copy in progress."""
    if data[-_BLANK_RUN:].strip(b"\0"):
        return False
    return ends_early(data.rstrip(b"\0")) is True


def _is_stub(data: bytes) -> bool:
    """Whether data is the beginning of a known format's signature and no more."""
    signatures = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"GIF87a", b"RIFF", b"BM", b"II*\0", b"MM\0*")
    return any(signature.startswith(data) for signature in signatures)
