"""From a decoded image to the pixels that a model sees: turned upright, shrunk, on white."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dogid.errors import PhotoCode, PhotoError

Pixels: TypeAlias = NDArray[np.uint8]

ORIENTATION = 0x0112
"""The EXIF and TIFF tag."""

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


class DecodedPhoto(NamedTuple):
    """The pixels of one photo, as the model will see them."""

    pixels: Pixels
    """[height, width, 3], uint8, RGB, in the size that was asked for."""
    width: int
    """Of the photo itself, upright, in pixels."""
    height: int
    complete: bool
    """False where the photo decodes but may be damaged or half-written: then wait and see whether it changes."""
    taken_at: str | None = None
    """When it was taken, as `taken_at.read_taken_at` finds it in its EXIF."""


def check_pixels(size: tuple[int, int]) -> None:
    """Raise PhotoError with `too_large` where an image of that width and height has more pixels than the limit."""
    # Pillow only warns between once and twice the limit, and warnings can be turned off
    limit, count = Image.MAX_IMAGE_PIXELS, size[0] * size[1]
    if limit is not None and count > limit:
        raise PhotoError(PhotoCode.TOO_LARGE, f"{count} pixels; at most {limit} are decoded (max_pixels)")


def read_orientation(source: Image.Image | Image.Exif) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 (upright) where there is none."""
    try:
        exif = source if isinstance(source, Image.Exif) else source.getexif()
        turn = exif.get(ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to refuse a good image
        return 1
    return turn if turn in _TURNS else 1


def turn_size(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """Return the size of an image after it has been turned upright, or that before from that after."""
    return (size[1], size[0]) if turn in _SIDEWAYS else size


def shrink(image: Image.Image, size: tuple[int, int], turn: int) -> Pixels:
    """Return the pixels of a whole image that is stored in orientation turn, squeezed into the upright size."""
    target = turn_size(size, turn)
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
    if image.mode == "La":  # premultiplied; Pillow has no direct way from here
        image = image.convert("LA")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _on_white(small: Image.Image) -> Image.Image:
    # after shrinking: on the whole photo this would take several times its memory
    if small.mode != "RGBA":
        return small
    return Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
