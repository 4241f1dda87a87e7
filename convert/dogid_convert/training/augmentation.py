"""Random augmentation of photos.

A collection's look (its size, sharpness, framing, compression) must not predict the label. So a copy is cropped or
padded, resized, blurred or sharpened, recoloured, saved again as JPEG, and then decoded by the daemon's own function.
"""

import io
from dataclasses import asdict, dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter

from dogid.photo.decode import decode
from dogid.photo.pixels import Pixels

_WORKING_SIDE = 320  # pixels; enough for a crop to be shrunk, not enlarged, to a MobileNet's input


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Limits of the random changes. Part of the cache's key: other limits, other bottlenecks."""

    frame: tuple[float, float] = (0.7, 1.6)
    """The crop's side divided by the photo's. Above 1 the subject is smaller, in synthetic surroundings."""
    aspect: float = 1.2
    """A frame's sides differ from the photo's by at most this factor."""
    rotation: float = 10.0
    """Degrees, either way, in half of the copies."""
    shrink: tuple[int, int] = (110, 300)
    """The side in pixels that a copy is resized to before it is saved."""
    jpeg: tuple[int, int] = (45, 95)
    """JPEG quality."""
    blur: float = 1.0
    """Greatest radius of the Gaussian blur, in pixels of the resized copy."""
    colour: float = 0.25
    """Brightness, contrast and saturation change by at most this part."""
    grey: float = 0.05
    """The share of copies without colour."""

    def key(self) -> str:
        """Return the limits as text, the same on every machine."""
        return repr(sorted(asdict(self).items()))


def augment(data: bytes, size: tuple[int, int], rng: Generator, limits: Augmentation) -> Pixels:
    """Return one random copy of a photo as uint8 [height, width, 3] for size = (width, height). Raise PhotoError."""
    image = _add_surroundings(decode(data, (_WORKING_SIDE, _WORKING_SIDE)).pixels)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        image = image.rotate(rng.uniform(-limits.rotation, limits.rotation), Image.Resampling.BILINEAR)
    image = _crop(image, rng, limits)
    image = _jitter_colour(image, rng, limits)
    image = _blur_or_sharpen(image, rng, limits)
    return decode(_encode_jpeg(image, int(rng.integers(limits.jpeg[0], limits.jpeg[1] + 1))), size).pixels


def _add_surroundings(pixels: Pixels) -> Image.Image:
    """Return the photo in the middle of a picture of twice its side: its own edges, mirrored and blurred."""
    # black or grey borders would be a look of their own, sharp mirrored ones would show the subject again
    margin = pixels.shape[0] // 2
    wide = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
    small = wide.resize((wide.width // 8, wide.height // 8), Image.Resampling.BOX)
    wide = small.filter(ImageFilter.GaussianBlur(1.5)).resize(wide.size, Image.Resampling.BILINEAR)
    wide.paste(Image.fromarray(pixels), (margin, margin))
    return wide


def _crop(image: Image.Image, rng: Generator, limits: Augmentation) -> Image.Image:
    """Cut a frame around some point of the photo, which is the middle half of image."""
    photo = image.width / 2
    scale = float(np.exp(rng.uniform(*np.log(limits.frame))))
    aspect = float(np.exp(rng.uniform(-np.log(limits.aspect), np.log(limits.aspect)) / 2))
    width, height = min(2.0, scale * aspect) * photo, min(2.0, scale / aspect) * photo
    # a frame smaller than the photo stays inside it, a larger one holds all of it
    left = image.width / 2 - width / 2 + rng.uniform(-0.5, 0.5) * abs(width - photo)
    top = image.height / 2 - height / 2 + rng.uniform(-0.5, 0.5) * abs(height - photo)
    left, top = min(max(left, 0.0), image.width - width), min(max(top, 0.0), image.height - height)
    side = int(rng.integers(limits.shrink[0], limits.shrink[1] + 1))
    box = (left, top, left + width, top + height)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


def _jitter_colour(image: Image.Image, rng: Generator, limits: Augmentation) -> Image.Image:
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(1 - limits.colour, 1 + limits.colour))
    if rng.random() < limits.grey:
        image = image.convert("L").convert("RGB")
    return image


def _blur_or_sharpen(image: Image.Image, rng: Generator, limits: Augmentation) -> Image.Image:
    choice = rng.random()
    if choice < 0.3:
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, limits.blur)))
    if choice < 0.6:
        return image.filter(ImageFilter.UnsharpMask(radius=1.5, percent=int(rng.integers(30, 150)), threshold=0))
    return image


def _encode_jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
