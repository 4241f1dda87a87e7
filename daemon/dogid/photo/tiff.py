"""TIFF: which of its images is the photo, and its pixels."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import formats
from dogid.photo.extent import tiff as layout_of
from dogid.photo.extent.tiff import Directory, TiffLayout, read_layout
from dogid.photo.library_messages import silence_libtiff
from dogid.photo.open_image import open_image
from dogid.photo.pixels import check_pixels

_REDUCED = 1  # bit of NewSubfileType
_SENSOR = frozenset({32803, 34892})  # PhotometricInterpretation: colour filter array, linear raw
_MIN_IS_WHITE, _YCBCR = 0, 6
_NONE, _CHUNKY, _PLANES = 1, 1, 2
_JPEG_STARTS = b"\xff\xd8\xff"
_DECODED = frozenset({_NONE, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000})  # by Pillow's libtiff
_COMPRESSIONS = {
    _NONE: "uncompressed",
    6: "old-style JPEG",
    34712: "JPEG 2000",
    34887: "LERC",
    50001: "WebP",
    50002: "JPEG XL",
}
# Of a preview, in bytes. Higher lets a damaged file with many directories copy more; EXIF and colour profile are less.
_LONGEST_HEADER = 1 << 18
_MOST_JPEGS = 8  # of a raw file, the longest; cameras write up to four. More let a hostile file keep a processor longer
SMALLEST_PREVIEW = 480
"""Pixels of a raw file's preview, the longer side. Lower takes thumbnails for photos, higher refuses older cameras."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The JPEG in a camera's raw file."""

    data: bytes
    turn: int
    """The raw file's orientation, for a JPEG that has none."""


def find_preview(data: bytes, layout: TiffLayout | None = None) -> Preview | None:
    """Return the largest JPEG of a camera's raw file; None where the TIFF is no raw file.

    layout: its directories, where they have been read. Raise PhotoError with `unsupported` where a raw file has none
    that is more than a thumbnail.
    """
    layout = read_layout(data) if layout is None else layout
    every = (*layout.pages, *layout.inner)
    if not any(_is_raw(directory) for directory in every):
        return None
    places = dict.fromkeys(place for directory in every if (place := _find_jpeg(data, directory)) is not None)
    longest = sorted(places, key=lambda place: place[0] - place[1])[:_MOST_JPEGS]
    sides = {place: _longer_side(data, place) for place in longest}
    best = max(sides, key=sides.__getitem__, default=(0, 0))
    if sides.get(best, 0) < SMALLEST_PREVIEW:
        raise PhotoError(
            PhotoCode.UNSUPPORTED,
            "a camera's raw data without a large preview is not decoded: convert it to JPEG first",
        )
    return Preview(data[slice(*best)], layout.pages[0].first(layout_of.ORIENTATION, 1))


def load_tiff(data: bytes) -> tuple[Image.Image, int]:
    """Return a TIFF's photo, loaded, and the orientation that is left to be done: Pillow turns TIFFs itself."""
    layout = read_layout(data)
    number = _choose_page(layout)
    page = layout.pages[number]
    _refuse_what_pillow_mistakes(page)
    if _is_planar_16_bit(page):
        return _read_planes(data, page, layout)
    image = open_image(data, formats.TIFF)
    silence_libtiff()
    image.seek(number)
    check_pixels(image.size)
    # all in one piece: each of the 64 KiB that Pillow would take otherwise is copied, under Python's lock
    image.decodermaxblock = max(len(data), image.decodermaxblock)
    image.load()
    return image, 1


def explain_tiff(data: bytes, error: Exception) -> PhotoError:
    """Return the error for a TIFF whose data are all there, but which Pillow does not decode."""
    page = read_layout(data).pages[0]
    code = page.first(layout_of.COMPRESSION, _NONE)
    is_known = code in _DECODED and (code != _NONE or "truncated" not in str(error))
    if is_known and not isinstance(error, UnidentifiedImageError):
        return PhotoError(PhotoCode.CORRUPT, f"the photo is damaged: {error}")
    compression = _COMPRESSIONS.get(code, f"compression {code}")
    bits = "+".join(map(str, page.tags.get(layout_of.BITS, (1,))))
    kind = f"{compression}, {bits} bits, colour model {page.first(layout_of.PHOTOMETRIC)}"
    return PhotoError(PhotoCode.UNSUPPORTED, f"a TIFF of this kind ({kind}) is not decoded: convert it to JPEG first")


def _is_raw(directory: Directory) -> bool:
    return directory.first(layout_of.PHOTOMETRIC) in _SENSOR or layout_of.DNG_VERSION in directory.tags


def _choose_page(layout: TiffLayout) -> int:
    """Return which page is the photo: the first that is not marked as another's reduced image."""
    for number, page in enumerate(layout.pages):
        if not page.first(layout_of.SUBFILE_TYPE) & _REDUCED:
            return number
    full = max((_area(directory) for directory in layout.inner), default=0)
    if full > _area(layout.pages[0]):
        raise PhotoError(
            PhotoCode.UNSUPPORTED, "a TIFF whose first image is a thumbnail is not decoded: convert it to JPEG first"
        )
    return 0


def _area(directory: Directory) -> int:
    """Return an image's number of pixels."""
    return directory.first(layout_of.WIDTH) * directory.first(layout_of.HEIGHT)


def _find_jpeg(data: bytes, directory: Directory) -> tuple[int, int] | None:
    """Return where the JPEG in a directory begins and ends; None where it holds none."""
    start = directory.first(layout_of.JPEG_OFFSET)
    length = directory.first(layout_of.JPEG_LENGTH)
    strips = directory.tags.get(layout_of.STRIP_OFFSETS, ())
    if not length and len(strips) == 1:
        start, length = strips[0], directory.first(layout_of.STRIP_LENGTHS)
    is_jpeg = length > 0 and data.startswith(_JPEG_STARTS, start)
    return (start, start + length) if is_jpeg and not _is_raw_strip(directory) else None


def _is_raw_strip(directory: Directory) -> bool:
    return directory.first(layout_of.PHOTOMETRIC) in _SENSOR


def _longer_side(data: bytes, place: tuple[int, int]) -> int:
    start, end = place
    header = data[start : min(end, start + _LONGEST_HEADER)]
    try:
        with open_image(header, formats.JPEG) as image:
            return max(image.size)
    except Exception:  # no photo, or a lossless one of the sensor's data
        return 0


def _refuse_what_pillow_mistakes(page: Directory) -> None:
    """Raise PhotoError for kinds of pixels that Pillow decodes to something else than the picture."""
    bits = page.tags.get(layout_of.BITS, (1,))
    photometric = page.first(layout_of.PHOTOMETRIC)
    is_raw = page.first(layout_of.COMPRESSION, _NONE) == _NONE
    if photometric == _YCBCR and is_raw and page.tags.get(layout_of.YCBCR_SUBSAMPLING, (2, 2)) != (1, 1):
        raise PhotoError(
            PhotoCode.UNSUPPORTED,
            "an uncompressed TIFF with fewer colours than pixels (YCbCr) is not decoded: convert it to JPEG first",
        )
    if any(count not in (1, 2, 4, 8, 16, 32, 64) for count in bits) or (bits == (4,) and photometric == _MIN_IS_WHITE):
        raise PhotoError(
            PhotoCode.UNSUPPORTED, f"a TIFF of {bits[0]} bits a sample is not decoded: convert it to JPEG first"
        )


def _is_planar_16_bit(page: Directory) -> bool:
    return (
        page.tags.get(layout_of.BITS) == (16, 16, 16)
        and page.first(layout_of.PLANAR, _CHUNKY) == _PLANES
        and page.first(layout_of.COMPRESSION, _NONE) == _NONE
        and layout_of.STRIP_OFFSETS in page.tags
    )


def _read_planes(data: bytes, page: Directory, layout: TiffLayout) -> tuple[Image.Image, int]:
    """Return an uncompressed image whose three colours of 16 bits follow each other, which Pillow scrambles."""
    width, height = page.first(layout_of.WIDTH), page.first(layout_of.HEIGHT)
    if page.first(layout_of.PHOTOMETRIC) != 2:
        raise PhotoError(
            PhotoCode.UNSUPPORTED,
            "a TIFF of 16 bits in planes that are not RGB is not decoded: convert it to JPEG first",
        )
    check_pixels((width, height))
    starts, lengths = page.tags[layout_of.STRIP_OFFSETS], page.tags.get(layout_of.STRIP_LENGTHS, ())
    strips = b"".join(data[at : at + length] for at, length in zip(starts, lengths, strict=False))
    high_byte = 1 if layout.order == "little" else 0
    if len(strips) < width * height * 6:
        raise PhotoError(PhotoCode.CORRUPT, "the photo is damaged: its strips are too short")
    planes = np.frombuffer(strips, np.uint8, width * height * 6).reshape(3, height, width, 2)[..., high_byte]
    image = Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))
    return image, page.first(layout_of.ORIENTATION, 1)
