"""HEIC, as iPhones take it, by libheif; loaded when the first such photo comes, since it takes some MiB of memory.

pi-heif has wheels for x86-64 and aarch64; elsewhere such photos are reported as not decoded.
"""

import io
from functools import cache

from PIL import Image

_OPENER = "HEIF"


@cache
def is_available() -> bool:
    """Whether HEIC can be decoded here; from the first call on Pillow can."""
    try:
        import pi_heif
    except ImportError:
        return False
    pi_heif.register_heif_opener(thumbnails=False)
    return True


def open_heic(data: bytes) -> Image.Image:
    """Return a HEIC's main image, not yet decoded. libheif turns it upright."""
    return Image.open(io.BytesIO(data), formats=(_OPENER,))
