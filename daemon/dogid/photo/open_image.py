"""Opening an image by the one plugin of Pillow that its format needs.

`Image.open` loads five plugins before it opens anything, whatever the format: 0.5 MB that a daemon of one camera never
uses.
"""

import importlib
import io
import struct
import sys

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from dogid.photo import formats

_PLUGINS = {
    formats.JPEG: "PIL.JpegImagePlugin",
    formats.PNG: "PIL.PngImagePlugin",
    formats.WEBP: "PIL.WebPImagePlugin",
    formats.BMP: "PIL.BmpImagePlugin",
    formats.GIF: "PIL.GifImagePlugin",
    formats.TIFF: "PIL.TiffImagePlugin",
    formats.AVIF: "PIL.AvifImagePlugin",
}
_PREFIX = 16  # bytes by which plugins recognise their format, as `Image.open` gives them


def load_pixels(image: ImageFile, data: bytes) -> None:
    """Decode the pixels of an image that was opened from data. Raise what the plugin raises."""
    # all in one piece: each of the 64 KiB that Pillow would take otherwise is copied, under Python's lock
    image.decodermaxblock = max(len(data), image.decodermaxblock)
    image.load()


def open_image(data: bytes, kind: str) -> ImageFile:
    """Return an image of a format of `formats`, its pixels not decoded yet; do what `Image.open` does.

    Raise ImportError where the plugin or its library cannot be loaded, UnidentifiedImageError where the photo's header
    is damaged, DecompressionBombError for too many pixels for Pillow, and whatever else the plugin raises.
    """
    importlib.import_module(_PLUGINS[kind])
    make, accepts = Image.OPEN[kind]
    accepted = accepts is None or accepts(data[:_PREFIX])
    if isinstance(accepted, str):  # the plugin was loaded without its library, for which there may have been no memory
        sys.modules.pop(_PLUGINS[kind], None)
        raise ImportError(accepted)
    if not accepted:
        raise UnidentifiedImageError(f"not recognised as {kind}")
    try:
        image = make(io.BytesIO(data), "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:  # by these, plugins refuse a header
        raise UnidentifiedImageError(f"not recognised as {kind}") from error
    limit, count = Image.MAX_IMAGE_PIXELS, image.width * image.height
    if limit is not None and count > limit:
        raise Image.DecompressionBombError(f"{count} pixels")
    return image
