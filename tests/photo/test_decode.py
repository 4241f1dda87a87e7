"""From bytes to pixels: upright, on white, in the size that the model wants, or refused with a code."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import FORMATS, decode
from tests.support.photos import photo, picture

Array = NDArray[np.uint8]

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 200, 30), (30, 30, 200), (120, 120, 120)
WHITE = (255, 255, 255)
WIDTH, HEIGHT = 320, 192
SIZE = (40, 30)  # of another shape than the photos, and small enough for JPEGs to be decoded reduced
LOSS = 6  # of 255, that JPEG and WebP may change in the middle of an evenly coloured area

# How cameras store an upright picture, as steps along its rows and columns. TIFF 6.0, "Orientation": 2 is "the 0th row
# represents the visual top of the image, and the 0th column represents the visual right-hand side"; from 5 on sideways
STEPS = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
XMP = b'<x:xmpmeta><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
SEVERAL = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), BLUE)]}


def stored(tag: int) -> Image.Image:
    """Given an orientation, return what a camera stores of a picture of red and green above blue and grey."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    top, left = HEIGHT // 2, WIDTH // 2
    pixels[:top, :left], pixels[:top, left:], pixels[top:, :left], pixels[top:, left:] = RED, GREEN, BLUE, GREY
    down, across = STEPS[tag]
    flipped = pixels[::down, ::across]
    return Image.fromarray(np.ascontiguousarray(flipped.swapaxes(0, 1) if tag >= 5 else flipped))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def orientation(tag: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif.tobytes()


def plain(colour: Any, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (64, 48), colour)


def assert_quadrants(pixels: Array) -> None:
    height, width = pixels.shape[:2]
    assert pixels.dtype == np.uint8
    for row, column, colour in ((0, 0, RED), (0, 1, GREEN), (1, 0, BLUE), (1, 1, GREY)):
        top, left = row * height // 2, column * width // 2
        inner = pixels[top + 3 : top + height // 2 - 3, left + 3 : left + width // 2 - 3]
        assert np.abs(inner.mean(axis=(0, 1)) - colour).max() < LOSS, f"quadrant {row}, {column}"


def code(data: bytes) -> PhotoCode:
    with pytest.raises(PhotoError) as caught:
        decode(data, SIZE)
    return caught.value.code


@pytest.mark.parametrize("tag", STEPS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("PNG", {}), ("WEBP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("MPO", SEVERAL)],
)
def test_every_orientation_comes_out_upright(kind: str, options: dict[str, Any], tag: int) -> None:
    data = saved(stored(tag), kind, exif=orientation(tag), **options)

    for size in (SIZE, SIZE[::-1], (WIDTH, HEIGHT)):
        decoded = decode(data, size)

        assert_quadrants(decoded.pixels)
        assert decoded.pixels.shape == (size[1], size[0], 3)
        assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
        assert decoded.complete


def test_tiff_turned_by_xmp_has_size_of_pixels() -> None:
    decoded = decode(saved(stored(6), "TIFF", tiffinfo={700: XMP}), SIZE)

    is_turned = tuple(decoded.pixels[3, 3]) == RED  # which Pillow 11.0 does not do
    assert (decoded.width, decoded.height) == ((WIDTH, HEIGHT) if is_turned else (HEIGHT, WIDTH))


def application_segment(content: bytes) -> bytes:
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([XMP_MARK + XMP], id="by XMP"),
        pytest.param([Image.Exif().tobytes(), XMP_MARK + XMP], id="by XMP beside other EXIF"),
        pytest.param([orientation(6), b"Exif\0\0more"], id="by EXIF in two segments"),
    ],
)
def test_jpeg_is_turned_by_what_pillow_reads(segments: list[bytes]) -> None:
    data = saved(stored(6), "JPEG")

    decoded = decode(data[:2] + b"".join(map(application_segment, segments)) + data[2:], SIZE)

    assert_quadrants(decoded.pixels)
    assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_photo_is_unchanged_at_own_size(kind: str) -> None:
    original = picture(1, (50, 31))

    decoded = decode(saved(original, kind), (50, 31))

    assert np.array_equal(decoded.pixels, np.asarray(original))
    assert (decoded.width, decoded.height) == (50, 31)


@pytest.mark.parametrize("tag", [0, 9, 60_000])
def test_an_orientation_that_does_not_exist_is_none(tag: int) -> None:
    assert_quadrants(decode(saved(stored(1), "JPEG", exif=orientation(tag)), SIZE).pixels)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("block", [b"", b"garbage", b"II*\0", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*" + b"\xff" * 99])
def test_damaged_exif_is_ignored(kind: str, block: bytes) -> None:
    assert_quadrants(decode(saved(stored(1), kind, exif=b"Exif\0\0" + block), SIZE).pixels)


@pytest.mark.filterwarnings("ignore")
def test_misplaced_tiff_exif_is_ignored() -> None:
    assert_quadrants(decode(saved(stored(1), "TIFF", tiffinfo={0x8769: 0xFFFFFF00}), SIZE).pixels)


@pytest.mark.parametrize(
    ("data", "colour"),
    [
        pytest.param(saved(plain((0, 255, 255, 0), "CMYK"), "JPEG", quality=95), (255, 0, 0), id="CMYK JPEG"),
        pytest.param(saved(plain(90, "L"), "JPEG"), (90, 90, 90), id="grey JPEG"),
        pytest.param(saved(plain(RED), "BMP"), RED, id="BMP"),
        pytest.param(saved(plain(1, "1"), "PNG"), WHITE, id="1-bit PNG"),
        pytest.param(saved(plain(1, "1"), "TIFF", compression="group4"), WHITE, id="fax TIFF"),
        pytest.param(saved(plain(RED, "RGBA"), "PNG"), RED, id="opaque RGBA"),
        pytest.param(saved(plain((0, 0, 0, 0), "RGBA"), "PNG"), WHITE, id="clear RGBA PNG"),
        pytest.param(saved(plain((0, 0, 0, 0), "RGBA"), "WEBP"), WHITE, id="clear RGBA WebP"),
        pytest.param(saved(plain((255, 0, 0, 128), "RGBA"), "PNG"), (255, 127, 127), id="half clear RGBA"),
        pytest.param(saved(plain((0, 0), "LA"), "PNG"), WHITE, id="clear LA"),
        pytest.param(saved(plain((0, 128), "LA"), "PNG"), (127, 127, 127), id="half clear LA"),
        pytest.param(saved(plain(RED), "PNG", transparency=RED), WHITE, id="RGB with a clear colour"),
        pytest.param(saved(plain(7, "L"), "PNG", transparency=7), WHITE, id="grey with a clear level"),
        pytest.param(saved(plain(RED).quantize(2), "PNG"), RED, id="palette PNG"),
        pytest.param(saved(plain(RED).quantize(2), "PNG", transparency=0), WHITE, id="clear palette PNG"),
        pytest.param(saved(plain(RED).quantize(2), "GIF", transparency=0), WHITE, id="clear palette GIF"),
        pytest.param(saved(plain(RED), "GIF"), RED, id="GIF"),
        *(
            pytest.param(saved(plain(RED), kind, **SEVERAL), RED, id=f"the first of several in {kind}")
            for kind in ("GIF", "WEBP", "PNG", "TIFF", "MPO")
        ),
    ],
)
def test_every_kind_of_pixels_becomes_rgb_on_white(data: bytes, colour: tuple[int, int, int]) -> None:
    pixels = decode(data, SIZE).pixels

    assert pixels.shape == (*SIZE[::-1], 3)
    assert np.abs(pixels.astype(int) - colour).max() < LOSS


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_greys_are_scaled_and_not_clipped(kind: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, SIZE[0]).astype(np.uint16), (SIZE[1], 1))

    pixels = decode(saved(Image.fromarray(ramp), kind), SIZE).pixels

    assert np.array_equal(pixels, np.repeat((ramp >> 8)[:, :, np.newaxis], 3, axis=2))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("size", [(224, 224), (96, 192)])
def test_reduced_jpeg_decoding_is_close_to_full(seed: int, size: tuple[int, int]) -> None:
    levels = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    data = saved(Image.fromarray(levels).resize((2000, 1500), Image.Resampling.BICUBIC), "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        full = np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)).astype(int)

    difference = np.abs(decode(data, size).pixels - full).mean()

    assert difference < 2.0  # of 255; measured: 0.35


@pytest.mark.parametrize("mode", ["I", "F"])
def test_measurements_are_unsupported(mode: str) -> None:
    assert code(saved(plain(1, mode), "TIFF")) is PhotoCode.UNSUPPORTED


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"P6 2 2 255\n" + bytes(range(12)), id="PPM, which Pillow could read"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt " + bytes(range(64)), id="sound"),
        pytest.param(b"Dear diary, today I saw a dog.\n", id="text"),
    ],
)
def test_unknown_format_is_unsupported(data: bytes) -> None:
    assert code(data) is PhotoCode.UNSUPPORTED


@pytest.mark.parametrize("data", [b"\xff\xd8 no marker here", b"\x89PNG\r\n\x1a\n" + photo(1, "PNG")[33:]])
def test_damaged_header_is_corrupt(data: bytes) -> None:
    assert code(data) is PhotoCode.CORRUPT


def test_no_bytes_are_empty() -> None:
    assert code(b"") is PhotoCode.EMPTY


def tiff_with_its_directory_first() -> bytes:
    """Return a compressed TIFF as scanners stream it, the pixels last (Pillow writes them first)."""
    pixels = zlib.compress(picture(1).convert("L").tobytes())
    tags = {256: 320, 257: 320, 258: 8, 259: 8, 262: 1, 273: 122, 277: 1, 278: 320, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "data",
    [
        *(pytest.param(photo(1, kind), id=kind) for kind in FORMATS),
        pytest.param(photo(1, "JPEG", progressive=True), id="progressive JPEG"),
        pytest.param(photo(1, "WEBP", lossless=True), id="lossless WebP"),
        pytest.param(photo(1, "TIFF", compression="tiff_lzw"), id="LZW TIFF"),
        pytest.param(tiff_with_its_directory_first(), id="TIFF with its directory first"),
        pytest.param(saved(Image.new("I;16", (320, 200), 9), "PNG", compress_level=0), id="16-bit PNG"),
    ],
)
def test_a_photo_that_is_cut_off_is_truncated(data: bytes, share: float) -> None:
    assert decode(data, SIZE).complete
    assert code(data[: int(len(data) * share)]) is PhotoCode.TRUNCATED


def test_damaged_whole_tiff_is_corrupt() -> None:
    data = tiff_with_its_directory_first()

    assert code(data[:122] + b"\xff" * (len(data) - 122)) is PhotoCode.CORRUPT


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("side", [40, 100])  # Pillow itself only warns up to twice the limit
def test_more_pixels_than_the_limit_are_too_large(monkeypatch: pytest.MonkeyPatch, kind: str, side: int) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    assert decode(photo(1, kind, size=(40, 25)), SIZE).complete
    assert code(photo(1, kind, size=(side, side))) is PhotoCode.TOO_LARGE


def test_small_file_with_huge_dimensions_is_too_large() -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + struct.pack(">I", zlib.crc32(header))

    assert code(bomb + photo(1, "PNG")[33:]) is PhotoCode.TOO_LARGE
