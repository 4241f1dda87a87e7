"""Rewriting the header of a JPEG: with what its pixels need, and without what decoders stumble over."""

from dogid.photo.extent.jpeg import JpegHeader, Segment

_APP0, _APP1, _APP14, _SOS, _COMMENT = 0xE0, 0xE1, 0xEE, 0xDA, 0xFE
_APPLICATIONS = range(0xE0, 0xF0)
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_ADOBE, _ADOBE_LENGTH, _ADOBE_TRANSFORM = b"Adobe", 16, 15  # whole segment; the transform's place in it
_YCBCR, _YCCK = 1, 2


def rewrite_header(data: bytes, header: JpegHeader) -> bytes:
    """Return a JPEG whose application segments are valid: JFIF, Adobe's and EXIF, the others left out."""
    parts = [b"\xff\xd8"]
    parts += (_rewrite(data[segment.at : segment.end], segment, header) for segment in header.segments)
    return b"".join([*parts, data[header.scan :]])


def _rewrite(content: bytes, segment: Segment, header: JpegHeader) -> bytes:
    if segment.marker == _APP0:
        return _JFIF if content[4:8] == b"JFIF" else b""
    if segment.marker == _APP14 and content[4:9] == _ADOBE and len(content) >= _ADOBE_LENGTH:
        if content[_ADOBE_TRANSFORM] <= _YCCK:
            return content
        transform = _YCCK if header.components == 4 else _YCBCR  # as libjpeg assumes
        return content[:_ADOBE_TRANSFORM] + bytes([transform]) + content[_ADOBE_TRANSFORM + 1 :]
    if segment.marker == _SOS and header.process in _SEQUENTIAL:
        return content[:-3] + b"\0\x3f\0"  # all coefficients in all their bits
    if segment.marker == _COMMENT or (segment.marker in _APPLICATIONS and segment.marker != _APP1):
        return b""
    return content
