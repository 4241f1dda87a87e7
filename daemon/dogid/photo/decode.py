"""From the bytes of a photo to the pixels a model sees.

The daemon, the trainer and the converter all use `decode`, so that a model is trained, calibrated and
judged on exactly the pixels that it will be asked about.
"""

import io
import warnings
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import foreign_formats
from dogid.photo.completeness import Completeness, check_completeness, is_cut_off

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's names of the formats that are accepted, whatever a file is called."""

DEFAULT_MAX_PIXELS = 89_478_485
"""Pillow's own limit against decompression bombs: a quarter of a GiB of RGB."""

_ORIENTATION = 0x0112  # the EXIF and TIFF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})
_TIFF_PIECES = ((273, 279), (324, 325))  # the tags of the offsets and lengths of strips, and of tiles

Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """The pixels of one photo, as the model will see them."""

    pixels: Pixels
    """[height, width, 3], uint8, RGB, in the size that was asked for."""
    width: int
    """Of the photo itself, upright, in pixels."""
    height: int
    complete: bool
    """False where the photo decodes but may end too early: wait whether it changes before believing it."""


def limit_pixels(max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
    """Make Pillow refuse images of more than max_pixels, for the whole process. Call once at the start."""
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
    """Decode a photo to size = (width, height), squeezed into it as TensorFlow's retrain example does.

    JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) that is not below size; a photo is turned
    upright by its EXIF tag after it has been shrunk; transparency becomes white.
    Raise PhotoError with the code `empty`, `unsupported`, `too_large`, `truncated` or `corrupt`.
    """
    if not data:
        raise PhotoError(PhotoCode.EMPTY, "the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image)
            # all in one piece: each of the 64 KiB that Pillow would take otherwise is copied, under Python's lock
            image.decodermaxblock = max(len(data), image.decodermaxblock)
            turn = _load_upright(image, len(data)) if isinstance(image, TiffImageFile) else _orientation(image)
            width, height = _swapped(image.size) if turn in _SIDEWAYS else image.size
            pixels = _pixels(image, size, turn)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = Image.MAX_IMAGE_PIXELS
        raise PhotoError(PhotoCode.TOO_LARGE, f"more than {limit} pixels are not decoded (max_pixels)") from error
    except MemoryError as error:
        raise PhotoError(PhotoCode.TOO_LARGE, "not enough memory to decode it") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except PhotoError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged files
        raise _damaged(data, error) from error
    completeness = check_completeness(data)
    if completeness is Completeness.UNWRITTEN:
        raise PhotoError(PhotoCode.TRUNCATED, "the end of the photo is not written")
    return DecodedPhoto(pixels, width, height, complete=completeness is Completeness.COMPLETE)


def _check_pixels(image: Image.Image) -> None:
    # Pillow only warns between once and twice the limit, and warnings can be turned off
    limit, count = Image.MAX_IMAGE_PIXELS, image.width * image.height
    if limit is not None and count > limit:
        raise PhotoError(PhotoCode.TOO_LARGE, f"{count} pixels; at most {limit} are decoded (max_pixels)")


def _load_upright(image: TiffImageFile, length: int) -> int:
    # Pillow turns TIFFs itself while it loads them, and may know their upright size only then
    try:
        image.load()
    except Exception as error:
        # of compressed pixels that are not there, libtiff only says that it failed
        if _tiff_end(image) > length:
            raise PhotoError(PhotoCode.TRUNCATED, f"the photo ends early: {error}") from error
        raise
    return 1


def _tiff_end(image: TiffImageFile) -> int:
    """Where in the file a TIFF's last pixels end."""
    tags = image.tag_v2
    pieces = (zip(tags.get(at, ()), tags.get(count, ()), strict=False) for at, count in _TIFF_PIECES)
    return max((at + count for piece in pieces for at, count in piece), default=0)


def _orientation(image: Image.Image) -> int:
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to refuse a good image
        return 1
    return turn if turn in _TURNS else 1


def _pixels(image: Image.Image, size: tuple[int, int], turn: int) -> Pixels:
    target = _swapped(size) if turn in _SIDEWAYS else size
    image.draft(None, target)
    small = _on_white(_plain(image).resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0))
    if turn != 1:
        small = small.transpose(_TURNS[turn])
    return np.asarray(small)


def _plain(image: Image.Image) -> Image.Image:
    """An image as RGB, or as RGBA where it has transparency."""
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit greys to 255 instead of scaling them
        grey = np.asarray(image, dtype=np.uint16) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise PhotoError(PhotoCode.UNSUPPORTED, f"pixels of kind {image.mode!r} are measurements, not a photo")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _on_white(small: Image.Image) -> Image.Image:
    # after shrinking: on the whole photo this would take several times its memory
    if small.mode != "RGBA":
        return small
    return Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")


def _swapped(size: tuple[int, int]) -> tuple[int, int]:
    return size[1], size[0]


def _unidentified(data: bytes) -> PhotoError:
    cut_off = is_cut_off(data)
    if cut_off is None:
        known = f"not a photo in a known format ({', '.join(FORMATS)})"
        return PhotoError(PhotoCode.UNSUPPORTED, foreign_formats.explain(data) or known)
    if cut_off:
        return PhotoError(PhotoCode.TRUNCATED, "the photo ends inside its header")
    return PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged")


def _damaged(data: bytes, error: Exception) -> PhotoError:
    if is_cut_off(data) or "truncated" in str(error):
        return PhotoError(PhotoCode.TRUNCATED, f"the photo ends early: {error}")
    return PhotoError(PhotoCode.CORRUPT, f"the photo is damaged: {error}")
