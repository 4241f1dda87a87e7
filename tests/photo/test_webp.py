"""WebP is shrunk by libwebp itself: to what Pillow would make of it."""

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import webp
from dogid.photo.decode import decode
from dogid.photo.pixels import read_orientation
from dogid.photo.webp_header import read_webp_header
from tests.support.photos import picture

SIZE = (224, 224)
_MEAN_DIFFERENCE = 0.5  # of a pixel's values: libwebp averages colours before they are converted


def saved(size: tuple[int, int] = (2000, 1500), mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    image = picture(5, size).convert(mode)
    if mode == "RGBA":
        image.putalpha(image.convert("L"))
    image.save(stream, "WEBP", **{"method": 0, "quality": 80, **options})  # quickly
    return stream.getvalue()


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("RGB", {"lossless": True}), ("RGBA", {}), ("RGBA", {"lossless": True}), ("RGB", {"exif": "turned"})],
    ids=str,
)
def test_pixels_are_those_of_pillow(monkeypatch: pytest.MonkeyPatch, mode: str, options: dict[str, Any]) -> None:
    if "exif" in options:
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif}
    data = saved(mode=mode, **options)
    shrunk = decode(data, SIZE)
    monkeypatch.setattr(webp, "is_available", lambda: False)
    expected = decode(data, SIZE)

    assert np.abs(shrunk.pixels.astype(int) - expected.pixels).mean() <= _MEAN_DIFFERENCE
    assert (shrunk.width, shrunk.height, shrunk.complete) == (expected.width, expected.height, expected.complete)


def test_libwebp_of_pillow_is_found() -> None:
    assert webp.is_available()


def test_small_webp_is_decoded_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved((300, 200))
    shrunk = decode(data, SIZE).pixels
    monkeypatch.setattr(webp, "is_available", lambda: False)
    assert np.array_equal(shrunk, decode(data, SIZE).pixels)


def test_damaged_webp_is_corrupt() -> None:
    data = bytearray(saved((640, 480), lossless=True))
    data[40:4000] = bytes(range(256)) * 15 + bytes(120)
    with pytest.raises(PhotoError) as raised:
        decode(bytes(data), SIZE)
    assert raised.value.code is PhotoCode.CORRUPT


@pytest.mark.parametrize("length", [0, 12, 16, 20, 25, 29])
def test_header_that_is_cut_has_no_size(length: int) -> None:
    assert read_webp_header(saved((64, 48))[:length]).size == (0, 0)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def extended(flags: int, size: tuple[int, int], *chunks: tuple[bytes, bytes]) -> bytes:
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    return riff((b"VP8X", bytes([flags, 0, 0, 0]) + sides), *chunks)


EXIF_FLAG = 0x08
TINY_PICTURE = (b"VP8 ", bytes(6) + struct.pack("<HH", 100, 100))


XMP_FLAG = 0x04
XMP_TURNS = [b'<a tiff:Orientation="6"/>', b"<tiff:Orientation>8</tiff:Orientation>"]


@pytest.mark.parametrize("xmp", [*XMP_TURNS, b"<tiff:Orientation>", b'tiff:Orientation="9"', b"", XMP_TURNS[0] * 2])
@pytest.mark.parametrize("exif_turn", [None, 0, 1, 3])
def test_orientation_in_xmp_is_that_of_pillow(xmp: bytes, exif_turn: int | None) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    if exif_turn is not None:
        exif[0x0112] = exif_turn
    data = saved((64, 48), xmp=xmp, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        expected = read_orientation(opened)

    assert webp.decode_webp(data, read_webp_header(data), (32, 32))[1] == expected


@pytest.mark.parametrize("xmp", XMP_TURNS)
@pytest.mark.parametrize("flags", [XMP_FLAG, XMP_FLAG | EXIF_FLAG, EXIF_FLAG, 0])
@pytest.mark.parametrize("is_first", [True, False])
def test_photo_is_turned_by_chunks_that_its_header_names(xmp: bytes, flags: int, is_first: bool) -> None:
    simple = saved((64, 48))
    exif = Image.Exif()
    exif[0x0112] = 2
    chunks = [(simple[12:16], simple[20:]), (b"XMP ", xmp), (b"XMP ", b'tiff:Orientation="3"')]
    if not flags & EXIF_FLAG:
        chunks.append((b"EXIF", exif.tobytes()))
    data = extended(flags, (64, 48), *(chunks[1:] + chunks[:1] if is_first else chunks))
    photo = decode(data, (32, 32))

    assert (photo.width, photo.height) == ((48, 64) if flags & XMP_FLAG else (64, 48))
    assert photo.complete
    with Image.open(io.BytesIO(data)) as opened:
        assert webp.decode_webp(data, read_webp_header(data), (32, 32))[1] == read_orientation(opened)


@pytest.mark.parametrize("lossless", [True, False])
def test_picture_behind_the_first_changes_no_size(monkeypatch: pytest.MonkeyPatch, lossless: bool) -> None:
    simple = saved((640, 480), lossless=lossless)
    data = extended(EXIF_FLAG, (640, 480), (simple[12:16], simple[20:]), TINY_PICTURE)
    header = read_webp_header(data)
    assert (header.size, header.is_lossless) == ((640, 480), lossless)
    assert decode(data, (32, 32)).width == 640
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 640 * 480 - 1)
    with pytest.raises(PhotoError, match="307200 pixels"):
        decode(data, (32, 32))


def test_size_that_libwebp_does_not_find_is_corrupt() -> None:
    simple = saved((640, 480))
    with pytest.raises(PhotoError, match="damaged") as raised:
        webp.decode_webp(simple, replace(read_webp_header(simple), size=(64, 48)), (32, 32))
    assert raised.value.code is PhotoCode.CORRUPT


def test_animation_is_left_to_pillow() -> None:
    stream = io.BytesIO()
    frames = [Image.new("RGB", (400, 300), colour) for colour in ("red", "blue")]
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:], lossless=True)

    assert read_webp_header(stream.getvalue()).is_animated
    assert decode(stream.getvalue(), (32, 32)).pixels[16, 16].tolist() == [255, 0, 0]
