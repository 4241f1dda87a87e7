"""What a PNG's chunks say that its decoder keeps or obeys, without decoding. Source: W3C PNG 3rd edition, 5 and 11."""

import struct
from dataclasses import dataclass

_FIRST, _CHUNK = 8, 12  # where the first chunk begins; bytes of a chunk beside its content
_HEADER_LENGTH = 13
# Ordinary photos have one for each 8 to 64 KiB. Raising this lets photos made for that keep memory and a processor,
# lowering it decodes ordinary ones in a process of their own.
_MOST_CHUNKS = 4096
_COMPRESSED = frozenset({b"zTXt", b"iTXt", b"iCCP"})


@dataclass(frozen=True, slots=True)
class PngHeader:
    """A PNG's header, and what is known of its other chunks."""

    width: int
    height: int
    depth: int
    colours: int
    """Its colour type."""
    has_transparency: bool
    """Whether a colour, or colours of the palette, are transparent (tRNS)."""
    kept: int
    """Bytes of the file that are no pixels."""
    compressed_texts: int
    """How many chunks may grow while they are unpacked, beside the pixels."""
    is_plain: bool
    """Whether the header comes first and once, the chunks end, and there is one picture: decoders then agree."""


def read_png_header(data: bytes) -> PngHeader:
    """Return the header of a PNG. Raise struct.error where it is not there."""
    width, height, depth, colours = struct.unpack_from(">IIBB", data, 16)
    at, kept, headers, compressed = _FIRST, 0, 0, 0
    has_transparency, is_plain, has_ended = False, data[8:16] == struct.pack(">I4s", _HEADER_LENGTH, b"IHDR"), False
    for _ in range(_MOST_CHUNKS):
        kind, length = data[at + 4 : at + 8], int.from_bytes(data[at : at + 4])
        if kind != b"IDAT":
            kept += length
            headers += kind == b"IHDR"
            compressed += kind in _COMPRESSED
            has_transparency = has_transparency or kind == b"tRNS"
            is_plain = is_plain and kind not in (b"acTL", b"fcTL", b"fdAT", b"DDAT")
        at += _CHUNK + length
        has_ended = kind == b"IEND" or at >= len(data)
        if has_ended:
            break
    is_plain = is_plain and headers == 1 and has_ended
    return PngHeader(width, height, depth, colours, has_transparency, min(kept, len(data)), compressed, is_plain)
