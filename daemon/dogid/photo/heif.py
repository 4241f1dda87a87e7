"""HEIC, as iPhones take it, by libheif; loaded when the first such photo comes, since it takes some MiB of memory.

pi-heif has wheels for x86-64 and aarch64; elsewhere such photos are reported as not decoded.
"""

import io
from importlib.util import find_spec

from PIL import Image

from dogid.photo.pixels import check_pixels


def is_available() -> bool:
    """Whether HEIC can be decoded here."""
    return find_spec("pi_heif") is not None


def load_heic(data: bytes) -> Image.Image:
    """Return a HEIC's main image. libheif turns it upright by the file's properties; its EXIF orientation is a copy.

    Raise PhotoError with `too_large` for too many pixels, and whatever pi-heif raises on damaged files.
    """
    import pi_heif

    photo = pi_heif.open_heif(io.BytesIO(data))  # the header only
    check_pixels(photo.size)
    image: Image.Image = photo.to_pillow()
    return image
