"""The size of a GIF's first picture, without decoding. Source: GIF89a specification, sections 15 to 26."""

import struct

_SCREEN = 13  # bytes of the header with the screen's descriptor
_EXTENSION, _IMAGE = 0x21, 0x2C
_HAS_TABLE, _TABLE_SIZE = 0x80, 0x07
_LOOP = b"NETSCAPE2.0"
# Blocks before the first picture, of up to 255 bytes. Raising this lets files made for that keep memory and a
# processor, lowering it decodes GIFs with long descriptions in a process of their own.
_MOST_BLOCKS = 4096


def read_gif_size(data: bytes) -> tuple[tuple[int, int], bool]:
    """Return the width and height of the screen, with the first picture where that reaches beyond it.

    The second value is whether the blocks up to the picture are such that all decoders find the same one. Raise
    struct.error or IndexError where the file ends before it.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = _SCREEN + (3 << (flags & _TABLE_SIZE) + 1 if flags & _HAS_TABLE else 0)
    left = _MOST_BLOCKS
    while data[at] == _EXTENSION:
        first = at + 2
        at, blocks = first, 0
        while data[at] and left:
            at, blocks, left = at + 1 + data[at], blocks + 1, left - 1
        # Pillow reads on behind an empty block, and behind a loop's missing second block
        if not left or not blocks or (blocks == 1 and data.startswith(_LOOP, first + 1)):
            return (width, height), False
        at += 1
    if data[at] != _IMAGE:
        return (width, height), False
    x, y, across, down = struct.unpack_from("<HHHH", data, at + 1)
    return (max(width, x + across), max(height, y + down)), True
