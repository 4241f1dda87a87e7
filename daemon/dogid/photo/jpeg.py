"""JPEG: decoded at a reduced scale, and believed only where libjpeg is content with all of the data."""

from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import formats, turbojpeg
from dogid.photo.extent.jpeg import HOLE, JpegHeader, find_end, find_hole, lacks_scans, read_header
from dogid.photo.jpeg_header import rewrite_header
from dogid.photo.open_image import open_image
from dogid.photo.pixels import ORIENTATION, DecodedPhoto, check_pixels, read_orientation, shrink, turn_size
from dogid.photo.samsung import find_trailer
from dogid.photo.taken_at import read_taken_at
from dogid.photo.turbojpeg import Finding

_EOI = b"\xff\xd9"
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCD, 0xCE})
# What follows an arithmetic-coded scan without an end: encoders leave out its last zeros, of which 4 were the most in
# 40 photos; with 8, any other bytes after them change no pixel of a whole photo. More lets more of a cut one pass.
_LEFT_OUT = bytes(8)
_OTHER_BYTES = bytes(range(7, 255, 11)) * 8
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}  # Pillow's, by the number of components
_DEEP = frozenset({12, 16})  # bits of a sample
_SCALES = (8, 4, 2)
_NOT_WRITTEN = "a part of the photo is not written: there are zeros in its place"
_NO_END = "the end of the photo is not written"
_APP1, _EXIF = 0xE1, b"Exif\0\0"


def decode_jpeg(
    data: bytes, size: tuple[int, int], turn: int | None = None, header: JpegHeader | None = None
) -> DecodedPhoto:
    """Decode a JPEG to size = (width, height), upright; turn is the orientation where it is not the JPEG's own.

    header: what `read_header` returned for these data, if that is known.

    Raise PhotoError where a part is missing (`truncated`) or where it cannot be decoded; Pillow's errors pass through.
    """
    header = read_header(data) if header is None else header
    if header.precision in _DEEP and header.process not in _LOSSLESS:
        raise PhotoError(
            PhotoCode.UNSUPPORTED, f"a JPEG of {header.precision} bits is not decoded: save it with 8 bits first"
        )
    check_pixels(header.size)
    exif = _find_exif(data, header)
    turn = _read_orientation(data, header, exif) if turn is None else turn
    if lacks_scans(data, header):
        raise PhotoError(PhotoCode.TRUNCATED, "the photo ends early: not all of its scans are there")
    image, complete = _load(data, header, choose_scale(header, turn_size(size, turn)))
    width, height = turn_size(header.size, turn)
    taken_at = next(filter(None, map(read_taken_at, exif)), None)
    return DecodedPhoto(shrink(image, size, turn), width, height, complete, taken_at)


def _find_exif(data: bytes, header: JpegHeader) -> list[bytes]:
    """Return the blocks of EXIF, each with its mark."""
    return [
        data[segment.at + 4 : segment.end]
        for segment in header.segments
        if segment.marker == _APP1 and data.startswith(_EXIF, segment.at + 4)
    ]


def _read_orientation(data: bytes, header: JpegHeader, blocks: list[bytes]) -> int:
    if len(blocks) == 1:  # nearly always; Pillow's way to it costs more than the rest of the header
        exif = Image.Exif()
        try:
            exif.load(blocks[0])
            if ORIENTATION in exif:
                return read_orientation(exif)
        except Exception:  # damaged EXIF is no reason to refuse a good image
            return 1
    elif not blocks and data.find(b"Orientation", 0, header.scan) < 0:  # not in its XMP either
        return 1
    with _open(data, header) as image:
        return read_orientation(image)


def _open(data: bytes, header: JpegHeader) -> Image.Image:
    try:
        return open_image(data, formats.JPEG)
    except Image.DecompressionBombError:
        raise
    except Exception:
        # a header of which a part is damaged, before pixels that are good
        return open_image(rewrite_header(data, header), formats.JPEG)


def choose_scale(header: JpegHeader, target: tuple[int, int]) -> int:
    """Return by what to divide the photo's sides, as Pillow's `draft` would: models are trained on its pixels."""
    if header.process in _LOSSLESS:
        return 1
    reserve = min(header.size[0] // target[0], header.size[1] // target[1])
    return next((scale for scale in _SCALES if reserve >= scale), 1)


def _scale(header: JpegHeader, scale: int) -> tuple[int, int]:
    return -(-header.size[0] // scale), -(-header.size[1] // scale)


def _load(data: bytes, header: JpegHeader, scale: int) -> tuple[Image.Image, bool]:
    """Return the decoded image, and whether there is no doubt that all of it is there."""
    mode = _MODES.get(header.components)
    size = _scale(header, scale)
    if mode is None or not all(size) or not turbojpeg.is_available():
        return _load_with_pillow(data, header, scale), True
    image, finding, words = turbojpeg.decode_mode(data, mode, size)
    if finding is Finding.CLEAN:
        _refuse_hole(data, header)
        if header.process in _ARITHMETIC:
            _refuse_early_end(data, header, image)
        return image, True
    if finding in (Finding.HARMLESS, Finding.DAMAGED):  # which may lie in the header
        data = rewrite_header(data, header)
        header = read_header(data)
        image, finding, words = turbojpeg.decode_mode(data, mode, size)
        if finding is Finding.CLEAN:
            return image, True
    end, is_closed = find_end(data, header)
    if not is_closed:
        return _load_without_end(data, header, mode, scale, end)
    hole = data.find(HOLE, header.scan, end)
    if hole >= 0:
        return _load_before_hole(data, mode, size, hole)
    if finding is Finding.MISSING:
        raise PhotoError(PhotoCode.TRUNCATED, f"the photo ends early: {words}")
    if finding is Finding.DAMAGED:  # in its pixels, since the header was rewritten
        raise PhotoError(PhotoCode.CORRUPT, f"the photo is damaged: bytes are missing or wrong ({words})")
    return _load_with_pillow(data, header, scale), finding is Finding.REFUSED


def _refuse_hole(data: bytes, header: JpegHeader) -> None:
    """Raise PhotoError for zeros in the place of data, which may happen to decode."""
    if header.process not in _ARITHMETIC and find_hole(data, header) is not None:
        raise PhotoError(PhotoCode.TRUNCATED, _NOT_WRITTEN)


def _refuse_early_end(data: bytes, header: JpegHeader, image: Image.Image) -> None:
    """Raise PhotoError where an arithmetic-coded photo needs bytes beyond its end, for which decoders take zeros."""
    end, _ = find_end(data, header)
    longer = data[:end] + _LEFT_OUT + _OTHER_BYTES + _EOI
    pixels = image.tobytes()  # now, as the image holds only until the next is decoded
    if turbojpeg.decode_mode(longer, image.mode, image.size)[0].tobytes() != pixels:
        raise PhotoError(PhotoCode.TRUNCATED, "the photo ends early")


def _load_with_pillow(data: bytes, header: JpegHeader, scale: int) -> Image.Image:
    image = _open(data, header)
    if scale > 1:
        image.draft(None, (header.size[0] // scale, header.size[1] // scale))
    image.load()
    return image


def _load_without_end(data: bytes, header: JpegHeader, mode: str, scale: int, end: int) -> tuple[Image.Image, bool]:
    """Return the image of a JPEG without its end mark where all pixels are there."""
    trailer = find_trailer(data)
    if trailer is not None:
        end = min(end, trailer)
    elif end < len(data):
        raise PhotoError(PhotoCode.TRUNCATED, _NO_END)
    closed = data[:end] + _EOI
    size = _scale(header, scale)
    image, finding, _ = turbojpeg.decode_mode(closed, mode, size)
    if finding is Finding.CLEAN:
        return image, trailer is not None
    if finding is Finding.LEFT_OVER and trailer is not None and data.find(HOLE, header.scan, end) < 0:
        return _load_with_pillow(closed, header, scale), True
    raise PhotoError(PhotoCode.TRUNCATED, _NO_END)


def _load_before_hole(data: bytes, mode: str, size: tuple[int, int], hole: int) -> tuple[Image.Image, bool]:
    # cameras pad with zeros, too: then all pixels are before them
    image, finding, _ = turbojpeg.decode_mode(data[:hole] + _EOI, mode, size)
    if finding is Finding.CLEAN:
        return image, True
    raise PhotoError(PhotoCode.TRUNCATED, _NOT_WRITTEN)
