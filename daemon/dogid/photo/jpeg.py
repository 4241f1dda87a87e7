"""JPEG: decoded at a reduced scale, and believed only where libjpeg is content with all of the data."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import turbojpeg
from dogid.photo.extent.jpeg import JpegHeader, find_end, lacks_scans, read_header
from dogid.photo.jpeg_header import rewrite_header
from dogid.photo.pixels import DecodedPhoto, check_pixels, read_orientation, shrink, turn_size
from dogid.photo.samsung import find_trailer
from dogid.photo.turbojpeg import Finding

_EOI = b"\xff\xd9"
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HOLE = bytes(64)  # shorter runs of zeros occur in the data of black pictures, and damage little
_NO_END = "the end of the photo is not written"

Array = NDArray[np.uint8]


def decode_jpeg(data: bytes, size: tuple[int, int], turn: int | None = None) -> DecodedPhoto:
    """Decode a JPEG to size = (width, height), upright; turn is the orientation where it is not the JPEG's own.

    Raise PhotoError where a part is missing (`truncated`) or where it cannot be decoded; Pillow's errors pass through.
    """
    header = read_header(data)
    if header.precision not in (0, 8) and header.process not in _LOSSLESS:
        raise PhotoError(
            PhotoCode.UNSUPPORTED, f"a JPEG of {header.precision} bits is not decoded: save it with 8 bits first"
        )
    image, data = _open(data, header)
    with image:
        check_pixels(image.size)
        turn = read_orientation(image) if turn is None else turn
        width, height = turn_size(image.size, turn)
        if lacks_scans(data, header):
            raise PhotoError(PhotoCode.TRUNCATED, "the photo ends early: not all of its scans are there")
        # the scale that Pillow would choose: models are trained on its pixels
        if header.process not in _LOSSLESS:
            image.draft(None, turn_size(size, turn))
        decoded, complete = _load(image, data)
        return DecodedPhoto(shrink(decoded, size, turn), width, height, complete)


def _open(data: bytes, header: JpegHeader) -> tuple[Image.Image, bytes]:
    try:
        return Image.open(io.BytesIO(data), formats=("JPEG",)), data
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception:
        # a header of which a part is damaged, before pixels that are good
        data = rewrite_header(data, header)
        return Image.open(io.BytesIO(data), formats=("JPEG",)), data


def _load(image: Image.Image, data: bytes) -> tuple[Image.Image, bool]:
    """Return the decoded image, and whether there is no doubt that all of it is there."""
    if not turbojpeg.is_available() or image.mode not in ("L", "RGB", "CMYK"):
        return image, True
    pixels, finding, words = turbojpeg.decode_mode(data, image.mode, image.size)
    if finding is Finding.HARMLESS:
        data = rewrite_header(data, read_header(data))
        pixels, finding, words = turbojpeg.decode_mode(data, image.mode, image.size)
    complete = finding is Finding.CLEAN
    if not complete:
        examined = _examine(data, image, pixels, finding, words)
        if examined is None:
            return image, True
        pixels, complete = examined
    if image.mode == "CMYK":
        pixels = 255 - pixels  # Pillow takes Adobe's convention for granted
    return Image.fromarray(pixels[:, :, 0] if image.mode == "L" else pixels, image.mode), complete


def _examine(data: bytes, image: Image.Image, pixels: Array, finding: Finding, words: str) -> tuple[Array, bool] | None:
    """Find out what is wrong with a JPEG: missing data are an error, damaged data a doubt; None: let Pillow try."""
    header = read_header(data)
    end, is_closed = find_end(data, header)
    if not is_closed:
        return _without_end(data, image, end)
    hole = data.find(_HOLE, header.scan, end)
    if hole >= 0:
        # cameras pad with zeros, too: then all pixels are before them
        pixels, finding, _ = turbojpeg.decode_mode(data[:hole] + _EOI, image.mode, image.size)
        if finding is Finding.CLEAN:
            return pixels, True
        raise PhotoError(PhotoCode.TRUNCATED, "a part of the photo is not written: there are zeros in its place")
    if finding is Finding.MISSING:
        raise PhotoError(PhotoCode.TRUNCATED, f"the photo ends early: {words}")
    return None if finding is Finding.REFUSED else (pixels, False)


def _without_end(data: bytes, image: Image.Image, end: int) -> tuple[Array, bool]:
    """Return the pixels of a JPEG without its end mark where all of them are there."""
    trailer = find_trailer(data)
    if trailer is not None:
        end = min(end, trailer)
    elif end < len(data):
        raise PhotoError(PhotoCode.TRUNCATED, _NO_END)
    pixels, finding, _ = turbojpeg.decode_mode(data[:end] + _EOI, image.mode, image.size)
    is_filled = trailer is not None and data.find(_HOLE, read_header(data).scan, end) < 0
    if finding is Finding.CLEAN or (finding is Finding.LEFT_OVER and is_filled):
        return pixels, trailer is not None
    raise PhotoError(PhotoCode.TRUNCATED, _NO_END)
