"""On machines for which simplejpeg has no wheels, Pillow decodes JPEGs."""

import sys

import numpy as np
import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import turbojpeg
from dogid.photo.decode import decode
from tests.photo.whole_photos import whole_photos

JPEGS = [name for name in whole_photos() if name.startswith("JPEG")]


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("size", [(32, 32), (200, 150)])
def test_pixels_are_the_same(monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]) -> None:
    usual = decode(whole_photos()[name], size)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)

    decoded = decode(whole_photos()[name], size)

    assert np.array_equal(decoded.pixels, usual.pixels)
    assert decoded.complete


@pytest.mark.parametrize("name", JPEGS)
def test_pixels_are_the_same_where_pillow_maps_no_rgb(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    usual = decode(whole_photos()[name], (200, 150))
    monkeypatch.setattr(turbojpeg, "maps_rgb", lambda: False)

    assert np.array_equal(decode(whole_photos()[name], (200, 150)).pixels, usual.pixels)


def test_image_of_shared_memory_is_copied_before_it_is_changed() -> None:
    pixels = np.zeros(4 * 6, np.uint8)
    turbojpeg._share(pixels, "RGB", (3, 2)).putpixel((0, 0), (255, 255, 255))

    assert not pixels.any()


@pytest.mark.parametrize("name", JPEGS)
def test_cut_photo_is_truncated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = whole_photos()[name]

    for part in range(1, 16):
        with pytest.raises(PhotoError) as caught:
            decode(data[: len(data) * part // 16], (32, 32))
        assert caught.value.code is PhotoCode.TRUNCATED


def test_damaged_header_before_good_pixels_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = whole_photos()["JPEG"]
    short = b"\xff\xee\0\7Adobe"  # without the values that follow the name

    decoded = decode(data[:2] + short + data[2:], (32, 32))

    assert np.array_equal(decoded.pixels, decode(data, (32, 32)).pixels)
