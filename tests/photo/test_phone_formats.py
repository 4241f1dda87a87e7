"""HEIC and AVIF: photos like any other."""

import numpy as np
import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import decode
from tests.support.expected_scores import expected_scores
from tests.support.photos import encode, picture

KINDS = ["HEIC", "AVIF"]
SIZE = (40, 30)
RED, WHITE, BLUE = (200, 30, 30), (250, 250, 250), (30, 30, 200)


def red_and_white_above_blue() -> Image.Image:
    image = Image.new("RGB", (320, 192), RED)
    image.paste(WHITE, (160, 0, 320, 96))
    image.paste(BLUE, (0, 96, 320, 192))
    return image


def orientation(tag: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("tag", "turn"), [(1, None), (3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)])
def test_turned_photo_comes_out_upright_once(kind: str, tag: int, turn: Image.Transpose | None) -> None:
    stored = red_and_white_above_blue() if turn is None else red_and_white_above_blue().transpose(turn)

    decoded = decode(encode(stored, kind, exif=orientation(tag)), SIZE)

    assert (decoded.width, decoded.height) == (320, 192)
    assert np.abs(decoded.pixels[:10, :15].mean(axis=(0, 1)) - RED).max() < 12
    assert np.abs(decoded.pixels[:10, -15:].mean(axis=(0, 1)) - WHITE).max() < 12
    assert np.abs(decoded.pixels[-10:].mean(axis=(0, 1)) - BLUE).max() < 12
    assert decoded.complete


@pytest.mark.parametrize("kind", KINDS)
def test_same_picture_gets_the_scores_of_its_jpeg(kind: str) -> None:
    image = picture(4, (640, 480))

    scores = expected_scores(encode(image, kind, quality=90))

    assert scores == pytest.approx(expected_scores(encode(image, "JPEG", quality=95)), abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_transparency_becomes_white(kind: str) -> None:
    decoded = decode(encode(Image.new("RGBA", (64, 48), (200, 30, 30, 0)), kind), SIZE)

    assert decoded.pixels.min() > 250


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_pixels_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    data = encode(picture(1, (100, 100)), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9_999)

    with pytest.raises(PhotoError) as caught:
        decode(data, SIZE)

    assert caught.value.code is PhotoCode.TOO_LARGE
