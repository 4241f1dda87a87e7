"""PNGs whose pixels are whole are decoded, whatever else in the file is damaged or too large for Pillow."""

import zlib

import numpy as np
import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import decode
from tests.photo.whole_photos import whole_photos

SIZE = (64, 64)
PNG = whole_photos()["PNG"]
AFTER_HEADER, BEFORE_END = 33, len(PNG) - 12
HALF = len(PNG) // 2


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


LONG_TEXT = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20)))
ORIENTED = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")


@pytest.mark.parametrize("at", [AFTER_HEADER, BEFORE_END], ids=["before the pixels", "after them"])
@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(LONG_TEXT, id="a long text"),
        pytest.param(chunk(b"zTXt", b"Comment\0\5unknown"), id="text compressed in an unknown way"),
        pytest.param(chunk(b"pHYs", b"abc"), id="a short chunk"),
        pytest.param(chunk(b"acTL", b"\0"), id="a short chunk of animations"),
        pytest.param(chunk(b"tEXt", b"Comment\0hello")[:-1] + b"\0", id="a wrong checksum"),
    ],
)
def test_png_is_decoded_without_what_is_damaged_beside_its_pixels(damaged: bytes, at: int) -> None:
    decoded = decode(PNG[:at] + damaged + PNG[at:], SIZE)

    assert decoded.complete
    assert np.array_equal(decoded.pixels, decode(PNG, SIZE).pixels)


def test_orientation_is_kept_beside_a_damaged_chunk() -> None:
    for damaged in (b"", LONG_TEXT):
        decoded = decode(PNG[:AFTER_HEADER] + ORIENTED + damaged + PNG[AFTER_HEADER:], SIZE)

        assert (decoded.width, decoded.height) == (150, 200)


def test_damaged_pixels_are_corrupt_beside_a_damaged_chunk() -> None:
    pixels = PNG[:HALF] + bytes([PNG[HALF] ^ 0x55]) + PNG[HALF + 1 : BEFORE_END]
    with pytest.raises(PhotoError) as caught:
        decode(pixels + LONG_TEXT + PNG[BEFORE_END:], SIZE)

    assert caught.value.code is PhotoCode.CORRUPT


@pytest.mark.parametrize("late", [b"tRNS", b"PLTE"])
def test_colours_that_follow_the_pixels_are_left_out(late: bytes) -> None:
    decoded = decode(PNG[:BEFORE_END] + chunk(late, b"\0") + PNG[BEFORE_END:], SIZE)

    assert np.array_equal(decoded.pixels, decode(PNG, SIZE).pixels)
