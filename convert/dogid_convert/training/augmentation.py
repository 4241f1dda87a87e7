"""Views of a photo: what it might have looked like, had another camera or website made it.

A collection's look (its size, sharpness, framing, compression) must not tell the label. So a view is framed anew,
shrunk, blurred or sharpened, recoloured and saved again as JPEG, and then decoded by the daemon's own function.
"""

import io
from dataclasses import asdict, dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter

from dogid.photo.decode import Pixels, decode

_WORKING_SIDE = 320  # pixels; enough for a crop to be shrunk, not enlarged, to a MobileNet's input


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a view may go. Part of the cache's key: other figures, other bottlenecks."""

    frame: tuple[float, float] = (0.7, 1.6)
    """The view's side as a part of the photo's. Above 1 the subject looks farther away, in surroundings made up."""
    aspect: float = 1.2
    """A frame's sides differ from the photo's by at most this factor."""
    rotation: float = 10.0
    """Degrees, either way, in half of the views."""
    shrink: tuple[int, int] = (110, 300)
    """The side in pixels that a view is shrunk (or enlarged) to before it is saved."""
    jpeg: tuple[int, int] = (45, 95)
    """JPEG quality."""
    blur: float = 1.0
    """Greatest radius of the Gaussian blur, in pixels of the shrunk view."""
    colour: float = 0.25
    """Brightness, contrast and saturation change by at most this part."""
    grey: float = 0.05
    """The share of views without colour."""

    def key(self) -> str:
        """The figures as text, the same on every machine."""
        return repr(sorted(asdict(self).items()))


def view(data: bytes, size: tuple[int, int], rng: Generator, how: Augmentation) -> Pixels:
    """Return one random view of a photo as uint8 [height, width, 3] for size = (width, height). Raise PhotoError."""
    image = _with_surroundings(decode(data, (_WORKING_SIDE, _WORKING_SIDE)).pixels)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        image = image.rotate(rng.uniform(-how.rotation, how.rotation), Image.Resampling.BILINEAR)
    image = _framed(image, rng, how)
    image = _recoloured(image, rng, how)
    image = _sharpness(image, rng, how)
    return decode(_saved(image, int(rng.integers(how.jpeg[0], how.jpeg[1] + 1))), size).pixels


def _with_surroundings(pixels: Pixels) -> Image.Image:
    """Return the photo in the middle of a picture of twice its side: its own edges, mirrored and blurred."""
    # black or grey borders would be a look of their own, sharp mirrored ones would show the subject again
    margin = pixels.shape[0] // 2
    wide = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
    small = wide.resize((wide.width // 8, wide.height // 8), Image.Resampling.BOX)
    wide = small.filter(ImageFilter.GaussianBlur(1.5)).resize(wide.size, Image.Resampling.BILINEAR)
    wide.paste(Image.fromarray(pixels), (margin, margin))
    return wide


def _framed(image: Image.Image, rng: Generator, how: Augmentation) -> Image.Image:
    """Cut a frame around some point of the photo, which is the middle half of image."""
    photo = image.width / 2
    scale = float(np.exp(rng.uniform(*np.log(how.frame))))
    aspect = float(np.exp(rng.uniform(-np.log(how.aspect), np.log(how.aspect)) / 2))
    width, height = min(2.0, scale * aspect) * photo, min(2.0, scale / aspect) * photo
    # a frame smaller than the photo stays inside it, a larger one holds all of it
    left = image.width / 2 - width / 2 + rng.uniform(-0.5, 0.5) * abs(width - photo)
    top = image.height / 2 - height / 2 + rng.uniform(-0.5, 0.5) * abs(height - photo)
    left, top = min(max(left, 0.0), image.width - width), min(max(top, 0.0), image.height - height)
    side = int(rng.integers(how.shrink[0], how.shrink[1] + 1))
    box = (left, top, left + width, top + height)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


def _recoloured(image: Image.Image, rng: Generator, how: Augmentation) -> Image.Image:
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(1 - how.colour, 1 + how.colour))
    if rng.random() < how.grey:
        image = image.convert("L").convert("RGB")
    return image


def _sharpness(image: Image.Image, rng: Generator, how: Augmentation) -> Image.Image:
    choice = rng.random()
    if choice < 0.3:
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, how.blur)))
    if choice < 0.6:
        return image.filter(ImageFilter.UnsharpMask(radius=1.5, percent=int(rng.integers(30, 150)), threshold=0))
    return image


def _saved(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
