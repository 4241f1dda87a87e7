"""JPEGs are decoded at the scale that Pillow's `draft` would choose, whichever side is the shorter."""

import sys

import numpy as np
import pytest

from dogid.photo.decode import decode
from dogid.photo.extent.jpeg import JpegHeader
from dogid.photo.jpeg import choose_scale
from tests.support.photos import encode, picture

BASELINE, LOSSLESS = 0xC0, 0xC3
SIDEWAYS = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # to be turned by 90 degrees


@pytest.mark.parametrize(
    ("size", "target", "process", "scale"),
    [
        ((800, 800), (100, 100), BASELINE, 8),
        ((799, 800), (100, 100), BASELINE, 4),
        ((1600, 400), (100, 100), BASELINE, 4),
        ((400, 1600), (100, 100), BASELINE, 4),
        ((400, 400), (100, 50), BASELINE, 4),
        ((400, 400), (50, 100), BASELINE, 4),
        ((200, 200), (100, 100), BASELINE, 2),
        ((199, 199), (100, 100), BASELINE, 1),
        ((50, 50), (100, 100), BASELINE, 1),
        ((800, 800), (100, 100), LOSSLESS, 1),
    ],
)
def test_scale_leaves_both_sides_long_enough(
    size: tuple[int, int], target: tuple[int, int], process: int, scale: int
) -> None:
    header = JpegHeader((), process, 8, size, 3, is_one_scan=True)

    assert choose_scale(header, target) == scale


def test_sideways_photo_is_reduced_by_its_stored_sides() -> None:
    image = picture(1, (480, 320))

    upright = decode(encode(image, "JPEG"), (60, 40)).pixels
    turned = decode(encode(image, "JPEG", exif=SIDEWAYS), (40, 60))

    assert (turned.width, turned.height) == (320, 480)
    assert np.array_equal(turned.pixels, np.rot90(upright, -1))


@pytest.mark.parametrize("size", [(480, 200), (200, 480)])
def test_pillow_reduces_as_much(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(1, size), "JPEG")
    usual = decode(data, (50, 50))
    monkeypatch.setitem(sys.modules, "simplejpeg", None)

    assert np.array_equal(decode(data, (50, 50)).pixels, usual.pixels)
