"""What the daemon and a decoding process send each other: fixed headers, each followed by so many bytes of content."""

import struct
from enum import IntEnum

REQUEST = struct.Struct("<QIIQQI")
"""Length of the photo that follows, width and height wanted, max_pixels, bytes of memory, seconds of processor time."""
ANSWER = struct.Struct("<BBII25sQ")
"""The outcome, whether the photo is complete, its width and height, when it was taken, the length of what follows."""


class Outcome(IntEnum):
    """How decoding ended, and what follows."""

    PHOTO = 0
    """The pixels, RGB."""
    ERROR = 1
    """The code and message of a PhotoError, a line each."""
