"""libjpeg-turbo through simplejpeg: the same pixels as Pillow's, and the warnings that Pillow drops.

A JPEG of which a part is missing decodes: libjpeg fills the rest with grey and only warns. simplejpeg has wheels for
x86-64 and aarch64; elsewhere Pillow decodes, and a photo that was cut off and then closed with an end mark passes.
It is loaded with the first JPEG, since it takes 0.4 MB.
"""

import threading
from enum import Enum
from functools import cache
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
    CLEAN: decoding stops at a warning. It holds until this thread decodes again: its memory may be used for the next.
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
    return _share(pixels, mode, size), finding, words


def _memory(length: int, *, is_kept: bool) -> Array:
    """Return memory for pixels; kept memory is this thread's until it asks again, and costs no page faults."""
    if not is_kept or length > _KEPT:
        return np.empty(length, np.uint8)
    if not hasattr(_thread, "memory"):
        _thread.memory = np.empty(_KEPT, np.uint8)
    memory: Array = _thread.memory[:length]
    return memory


def _share(pixels: Array, mode: str, size: tuple[int, int]) -> Image.Image:
    """Return pixels, stored as `_MODES` says, as an image of a mode; without a copy where this Pillow allows that."""
    stored = _MODES[mode][0]
    if stored == mode:
        return Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)
    if maps_rgb():
        return _map_rgb(pixels, size)
    return Image.frombuffer(stored, size, pixels, "raw", stored, 0, 1).convert(mode)


@cache
def maps_rgb() -> bool:
    """Whether this Pillow takes four bytes a pixel for RGB as they are: the copy costs 1 % of a small photo's time.

    It is no documented part of Pillow, and so tried once.
    """
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(3, 2, 4)
    try:
        return _map_rgb(pixels, (2, 3)).crop((0, 0, 2, 3)).tobytes() == pixels[..., :3].tobytes()
    except (AttributeError, TypeError, ValueError):
        return False


def _map_rgb(pixels: Array, size: tuple[int, int]) -> Image.Image:
    """Do what `Image.frombuffer` does for RGBX, and not for RGB, which Pillow stores in the same way."""
    mapped = Image.core.map_buffer(pixels, size, "raw", 0, ("RGB", 0, 1))  # type: ignore[attr-defined]
    image = Image.new("RGB", (0, 0))._new(mapped)
    image.readonly = 1  # what writes to it makes a copy first: the memory is the thread's, and used again
    return image


def _classify(message: str) -> Finding:
    if any(text in message for text in _HARMLESS):
        return Finding.HARMLESS
    if any(text in message for text in _MISSING_DATA):
        return Finding.MISSING
    if message.endswith("extraneous bytes before marker 0xd9"):
        return Finding.LEFT_OVER
    return Finding.DAMAGED if message.startswith(_DAMAGED_DATA) else Finding.REFUSED
