"""From the bytes of a photo to the pixels a model sees.

The daemon, the trainer and the converter all use `decode`, so that a model is trained, calibrated and
judged on exactly the pixels that it will be asked about.
"""

import errno
import warnings
from importlib.util import find_spec

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import foreign_formats, formats, heif
from dogid.photo.extent.extent import Extent
from dogid.photo.extent.jpeg import JpegHeader
from dogid.photo.jpeg import decode_jpeg
from dogid.photo.library_messages import silence_pillow
from dogid.photo.open_image import load_pixels, open_image
from dogid.photo.pixels import DecodedPhoto, check_pixels, read_orientation, shrink, turn_size
from dogid.photo.taken_at import read_taken_at

FORMATS = (
    formats.JPEG,
    formats.PNG,
    formats.WEBP,
    formats.BMP,
    formats.GIF,
    formats.TIFF,
    formats.HEIC,
    formats.AVIF,
)
"""The formats that are accepted, whatever a file is called."""

DEFAULT_MAX_PIXELS = 89_478_485
"""Pillow's own limit against decompression bombs: a quarter of a GiB of RGB."""

_OPTIONAL = {formats.WEBP: "PIL._webp", formats.AVIF: "PIL._avif"}  # a Pillow can be built without them
_JPEG_START = b"\xff\xd8"
_NOT_DECODED = ("unsupported", "not supported", "cannot handle", "not available", "no decoder")

silence_pillow()


def limit_pixels(max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
    """Make Pillow refuse images of more than max_pixels, for the whole process. Call once at the start."""
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    silence_pillow()


def decode(data: bytes, size: tuple[int, int], jpeg_header: JpegHeader | None = None) -> DecodedPhoto:
    """Decode a photo to size = (width, height), squeezed into it as TensorFlow's retrain example does.

    JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) that is not below size; a photo is turned
    upright by its EXIF tag after it has been shrunk; transparency becomes white.
    jpeg_header: what `read_header` returned for these data, if that is known.
    Raise PhotoError with the code `empty`, `unsupported`, `too_large`, `truncated` or `corrupt`, or `internal` for a
    fault of dogid's own code; OSError with a number where the machine refuses something, such as to load what decodes
    a format.
    """
    if not data:
        raise PhotoError(PhotoCode.EMPTY, "the file is empty")
    kind = formats.identify(data)
    if kind is None or not _is_installed(kind):
        raise _unknown(data)
    try:
        return _decode(data, kind, size, jpeg_header)
    except ImportError as error:  # of modules that are loaded with the first photo of a format
        raise OSError(errno.ELIBACC, f"{kind} cannot be decoded just now: {error}") from error


def _decode(data: bytes, kind: str, size: tuple[int, int], jpeg_header: JpegHeader | None) -> DecodedPhoto:
    try:
        return decode_jpeg(data, size, header=jpeg_header) if kind == formats.JPEG else _decode_other(data, kind, size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = Image.MAX_IMAGE_PIXELS
        raise PhotoError(PhotoCode.TOO_LARGE, f"more than {limit} pixels are not decoded (max_pixels)") from error
    except MemoryError as error:
        raise PhotoError(PhotoCode.TOO_LARGE, "not enough memory to decode it") from error
    except (PhotoError, ImportError):
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged files
        if isinstance(error, OSError) and error.errno is not None:  # of the machine: decoders' have no number
            raise
        if _is_raised_by_dogid(error) and not isinstance(error, UnidentifiedImageError):
            fault = f"a fault of dogid while decoding: {type(error).__name__}: {error}"
            raise PhotoError(PhotoCode.INTERNAL, fault) from error
        raise _explain(data, kind, error) from error


def _is_raised_by_dogid(error: Exception) -> bool:
    """Whether an error comes from dogid's own code and not from a decoder: a fault of dogid and not of the photo."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("dogid.")


def decode_complete(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
    """Decode a photo to learn from: like `decode`, but one that may be damaged raises PhotoError, too."""
    photo = decode(data, size)
    if not photo.complete:
        raise PhotoError(PhotoCode.TRUNCATED, "the photo may be damaged, or not written to its end")
    return photo


def decodable_formats() -> str:
    """Return the names of the formats that this installation decodes, for a message."""
    return ", ".join(filter(_is_installed, FORMATS))


def _is_installed(kind: str) -> bool:
    if kind == formats.HEIC:
        return heif.is_available()
    return kind not in _OPTIONAL or find_spec(_OPTIONAL[kind]) is not None


def _decode_other(data: bytes, kind: str, size: tuple[int, int]) -> DecodedPhoto:
    # what a format needs is loaded with its first photo, since an idle daemon needs none of it
    if kind == formats.WEBP and (photo := _decode_webp(data, size)) is not None:
        return photo
    turn: int | None = None
    if kind == formats.TIFF:
        from dogid.photo.tiff import find_preview, load_tiff

        preview = find_preview(data)
        if preview is not None:
            photo = decode_jpeg(preview.data, size, preview.turn)
            return photo if photo.taken_at is not None else photo._replace(taken_at=read_taken_at(data))
        image, turn = load_tiff(data)
    elif kind == formats.HEIC:
        image, turn = heif.load_heic(data), 1
    elif kind == formats.PNG:
        from dogid.photo.png import load_png

        image = load_png(data)
    else:
        image = open_image(data, kind)
    with image:
        check_pixels(image.size)
        extent = formats.find_extent(data, kind)
        if isinstance(image, ImageFile):
            # before its EXIF, for which Pillow may load it, too: an error of its pixels is not one of the EXIF
            load_pixels(image, data)
        turn = read_orientation(image) if turn is None else turn
        width, height = turn_size(image.size, turn)
        exif = data if kind == formats.TIFF else image.info.get("exif")
        taken_at = read_taken_at(exif) if isinstance(exif, bytes) else None
        return DecodedPhoto(shrink(image, size, turn), width, height, _is_written(data, extent), taken_at)


def _decode_webp(data: bytes, size: tuple[int, int]) -> DecodedPhoto | None:
    """Decode a WebP; None where Pillow is to do it."""
    from dogid.photo import webp
    from dogid.photo.webp_header import read_webp_header

    header = read_webp_header(data)
    if header.is_animated or not webp.is_available():
        return None
    extent = formats.find_extent(data, formats.WEBP)
    image, turn = webp.decode_webp(data, header, size)
    width, height = turn_size(header.size, turn)
    taken_at = None if header.exif is None else read_taken_at(data[slice(*header.exif)])
    return DecodedPhoto(shrink(image, size, turn), width, height, _is_written(data, extent), taken_at)


def _is_written(data: bytes, extent: Extent) -> bool:
    return extent.is_certain and bool(data[max(0, extent.end - formats.BLANK_RUN) : extent.end].strip(b"\0"))


def _unknown(data: bytes) -> PhotoError:
    if formats.is_beginning(data):
        return PhotoError(PhotoCode.TRUNCATED, "the photo ends inside its header")
    if data.startswith(_JPEG_START):
        return PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged")
    known = f"not a photo in a known format ({decodable_formats()})"
    return PhotoError(PhotoCode.UNSUPPORTED, foreign_formats.explain(data) or known)


def _explain(data: bytes, kind: str, error: Exception) -> PhotoError:
    """Return the error of a photo that a decoder gave up: a part is missing, it is of a rare kind, or damaged."""
    if kind != formats.JPEG:
        try:
            formats.find_extent(data, kind)
        except PhotoError as early:
            return early
    words = str(error).lower()
    if kind == formats.TIFF:
        from dogid.photo.tiff import explain_tiff

        return explain_tiff(data, error)
    if any(text in words for text in _NOT_DECODED):
        return PhotoError(PhotoCode.UNSUPPORTED, f"a {kind} of this kind is not decoded: {error}; convert it first")
    if "truncated" in words:
        return PhotoError(PhotoCode.TRUNCATED, f"the photo ends early: {error}")
    if isinstance(error, UnidentifiedImageError):
        return PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged")
    return PhotoError(PhotoCode.CORRUPT, f"the photo is damaged: {error}")
