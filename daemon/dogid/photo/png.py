"""PNG: its pixels, whatever else in the file is damaged, or larger than Pillow reads."""

import struct
import zlib

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from dogid.photo.formats import PNG
from dogid.photo.open_image import load_pixels, open_image
from dogid.photo.pixels import check_pixels

_SIGNATURE_LENGTH = 8
_PIXELS, _EXIF = b"IDAT", b"eXIf"
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", _PIXELS, b"IEND"})
_BEFORE_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS"})


def load_png(data: bytes) -> ImageFile:
    """Return a PNG with its pixels decoded; without texts and the like where Pillow gives up because of those.

    Raise PhotoError with `too_large`, and what Pillow raises of the pixels: OSError.
    """
    try:
        return _load(data)
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except OSError as error:
        if not isinstance(error, UnidentifiedImageError):  # of the pixels
            raise
    except (SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, struct.error):  # of a chunk
        pass
    return _load(_keep_picture(data))


def _load(data: bytes) -> ImageFile:
    image = open_image(data, PNG)
    check_pixels(image.size)
    load_pixels(image, data)
    return image


def _keep_picture(data: bytes) -> bytes:
    """Return a PNG with the chunks that its pixels need, and its EXIF where that is intact."""
    parts, at, has_pixels = [data[:_SIGNATURE_LENGTH]], _SIGNATURE_LENGTH, False
    view = memoryview(data)
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        is_intact_exif = kind == _EXIF and zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])
        if is_intact_exif or (kind in _PICTURE and not (has_pixels and kind in _BEFORE_PIXELS)):
            parts.append(data[at:end])
        has_pixels |= kind == _PIXELS
        at = end
    return b"".join(parts)
