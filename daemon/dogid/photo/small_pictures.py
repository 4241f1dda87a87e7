"""Small pictures of decoded photos, as people see them."""

import io

import numpy as np
from PIL import Image

from dogid.photo.pixels import Pixels

_JPEG_QUALITY = 78
"""Higher values make pictures larger and not visibly better."""


def fit_within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size of a picture scaled down until its longer side is at most side; none is scaled up."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def encode_jpeg(pixels: Pixels) -> bytes:
    """Return pixels as a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
