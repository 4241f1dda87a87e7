"""libjpeg-turbo through simplejpeg: the same pixels as Pillow's, and the warnings that Pillow drops.

A JPEG of which a part is missing decodes: libjpeg fills the rest with grey and only warns. simplejpeg has wheels for
x86-64 and aarch64; elsewhere Pillow decodes, and a photo that was cut off and then closed with an end mark passes.
It is loaded with the first JPEG, since it takes 0.4 MB.
"""

import threading
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Pillow's mode of the memory, simplejpeg's name of it, and its bytes a pixel
_MODES = {"L": ("L", "GRAY", 1), "RGB": ("RGBX", "RGBX", 4), "CMYK": ("CMYK", "CMYK", 4)}

# From libjpeg-turbo's jerror.h. Only a file's first warning is reported.
_MISSING_DATA = ("premature end of data segment", "Premature end of JPEG file", "found marker 0xd9 instead of RST")
_DAMAGED_DATA = ("Corrupt JPEG data", "Inconsistent progression sequence")
_HARMLESS = (
    "Invalid SOS parameters",
    "Unknown Adobe color transform",
    "Warning: unknown JFIF revision",
    "Obtained XMS handle",
    "bad ICC marker",
)


# Bytes of each thread that decodes. Less makes more photos cost page faults (2 % of the time of 2 megapixels), more is
# rarely used: at the scale that fits a model of 224 pixels a photo has 0.2 to 0.8 MiB.
_KEPT = 1 << 20
_thread = threading.local()

Array: TypeAlias = NDArray[np.uint8]


class Finding(Enum):
    """What libjpeg says of a JPEG that it decoded."""

    CLEAN = "clean"
    HARMLESS = "harmless"
    """A value in the header is unusual; a later warning would not have been reported."""
    LEFT_OVER = "left over"
    """All pixels were decoded, and before the end mark there were more bytes."""
    DAMAGED = "damaged"
    MISSING = "missing"
    """The data ended before the picture did."""
    REFUSED = "refused"
    """There are no pixels, or not all."""


def is_available() -> bool:
    """Whether simplejpeg is installed, and can be loaded."""
    try:
        import simplejpeg  # noqa: F401
    except ImportError:
        return False
    return True


def decode_mode(data: bytes, mode: str, size: tuple[int, int]) -> tuple[Image.Image, Finding, str]:
    """Decode to Pillow's mode L, RGB or CMYK, at the scale of libjpeg that gives exactly size = (width, height).

    Return the image, what libjpeg found, and its words for it. The image has all its pixels only if the finding is
    CLEAN: decoding stops at a warning.
    """
    import simplejpeg

    width, height = size
    stored, colours, channels = _MODES[mode]
    pixels = _memory(width * height * channels, is_kept=stored != mode).reshape(height, width, channels)
    finding, words = Finding.CLEAN, ""
    try:
        decoded = simplejpeg.decode_jpeg(data, colours, min_width=width, min_height=height, buffer=pixels)
    except ValueError as error:
        finding, words = _classify(str(error)), str(error)
    else:
        if decoded.shape != pixels.shape:
            finding, words = Finding.REFUSED, f"decoded to {decoded.shape[1]}x{decoded.shape[0]}"
    if mode == "CMYK":
        np.subtract(255, pixels, out=pixels)  # stored inverted, as Adobe does; Pillow takes that for granted, too
    image = Image.frombuffer(stored, size, pixels, "raw", stored, 0, 1)  # no copy, unlike three bytes a pixel
    return (image if stored == mode else image.convert(mode)), finding, words


def _memory(length: int, *, is_kept: bool) -> Array:
    """Return memory for pixels; kept memory is this thread's until it asks again, and costs no page faults."""
    if not is_kept or length > _KEPT:
        return np.empty(length, np.uint8)
    if not hasattr(_thread, "memory"):
        _thread.memory = np.empty(_KEPT, np.uint8)
    memory: Array = _thread.memory[:length]
    return memory


def _classify(message: str) -> Finding:
    if any(text in message for text in _HARMLESS):
        return Finding.HARMLESS
    if any(text in message for text in _MISSING_DATA):
        return Finding.MISSING
    if message.endswith("extraneous bytes before marker 0xd9"):
        return Finding.LEFT_OVER
    return Finding.DAMAGED if message.startswith(_DAMAGED_DATA) else Finding.REFUSED
