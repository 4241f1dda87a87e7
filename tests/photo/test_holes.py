"""Zeros in the middle of a photo, where a program reserved the space and has not written it yet."""

import base64
import io

import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import decode as decoding
from dogid.photo.decode import decode
from tests.photo.whole_photos import whole_photos
from tests.support.photos import encode, picture

SIZE = (64, 64)
ZEROS_CAN_BE_PIXELS = {"BMP", "BMP palette", "TIFF", "TIFF big", "TIFF pages", "WEBP lossless", "WEBP animated", "AVIF"}
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQ"
    "YEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//yQARCAAwAEAD"
    "ASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwDR1OM/KWLgaLr+rh+O9eQ2w99+YLxFYyXJFg764bE7kV5zzqkzm1H0G+qMzVRgkyt+"
    "1BF3f0yx7SxyEM4DB33ylBCFpqAmwB3ahtYca7y3yhJ0r83g4BI0qfQbaF/ODKVsPfVgsT+ZUrENdHZSi9d6DKnqnfv+891REa+0NlaJaWJ/NU+Q"
    "br5p3g5TZS5BomwWgjNfYqEmBbF3hiUxG59kXyzxpnNSHR81L6Y/sVpIrvUb8+4J8dH5aP8A/LQlWJvsYooUM3NTgWUN8OWGLIE0XjgDIIyyy7HF"
    "0jwr1e6sE08lhBeOu/HkPq2veaxA/wDCjUgLa6yRADEH3gorBUwi54HWcZ6PDvmLtD+D6bU5UX9AdWYEHLT1ybb9qgBMuxncSyfHAa+lr3SmVZZi"
    "HCgMMuT3NoWS/a3DGU7SUmkJAOdhcU9pUbfI/rvgbPVTzYW8v5dfp8VvcfHUdC3EaX6VuXdQUCIr42ryPTeY/p7wpgqHbBo27GrmRyhnjpB9ax0z"
    "3K5/dpCx29MFyDXvW7Z06RXRyAEpu+4PRSA8IcSQ6m4d9YIzqdBERYc6CIrfUYkok3hfshGVLTABebJpoMZ7db3Tp2G713pY8nAnnsCgcahkZu7R"
    "wQakgKpHlcdbmUuQDu/umcvTIJtNEJKl4evkidWSwl9NEqW3FrhU9S5Owf44hvSXdB5YNoD/2Q=="
)
"""A JPEG with arithmetic coding, made by `jpegtran -arithmetic` of a generated picture."""


def with_hole(data: bytes, length: int, at: int) -> bytes:
    """Return the data with zeros in the place of so many bytes."""
    return data[:at] + bytes(length) + data[at + length :]


def verdict(data: bytes) -> PhotoCode | bool:
    """Return the code of a photo's error, or whether there is no doubt about it."""
    try:
        return decode(data, SIZE).complete
    except PhotoError as error:
        return error.code


@pytest.mark.parametrize("options", [("HEIC", {}), ("WEBP", {"quality": 90}), ("JPEG", {"progressive": True})])
def test_photo_with_a_hole_is_truncated(options: tuple[str, dict[str, object]]) -> None:
    kind, choices = options
    data = encode(picture(1, (400, 300)), kind, **choices)

    for eighth in range(2, 7):
        assert verdict(with_hole(data, 1024, len(data) * eighth // 8)) is PhotoCode.TRUNCATED


@pytest.mark.parametrize("name", whole_photos())
def test_rest_of_zeros_is_refused_or_waited_for(name: str) -> None:
    data = whole_photos()[name]
    lengths = [len(data) * part // 8 for part in range(2, 8)]

    found = {verdict(data[:length] + bytes(len(data) - length)) for length in lengths}

    assert found <= {PhotoCode.TRUNCATED, PhotoCode.CORRUPT, False}
    assert (False in found) is (name in ZEROS_CAN_BE_PIXELS)


def test_photo_whose_last_bytes_are_zeros_is_waited_for() -> None:
    data = encode(picture(1, (40, 30)), "BMP")

    assert verdict(data) is True
    assert verdict(with_hole(data, 16, len(data) - 16)) is False


def test_lossless_webp_with_zeros_is_waited_for() -> None:
    plain = Image.new("RGB", (1500, 1000))
    plain.paste((200, 10, 10), (50, 50, 80, 80))
    data = encode(plain, "WEBP", lossless=True, method=0)

    assert bytes(512) in data
    assert verdict(data) is False


@pytest.mark.parametrize("quality", [10, 90])
def test_lossy_webp_of_one_colour_is_whole(quality: int) -> None:
    data = encode(Image.new("RGB", (3000, 2000), (0, 0, 0)), "WEBP", quality=quality)

    assert verdict(data) in (True, False)


def test_cut_arithmetic_jpeg_with_an_end_mark_is_truncated() -> None:
    with Image.open(io.BytesIO(ARITHMETIC)) as image:
        assert image.size == (64, 48)
    scan = ARITHMETIC.index(b"\xff\xda") + 14

    assert verdict(ARITHMETIC) is True
    for part in range(1, 16):
        cut = ARITHMETIC[: scan + (len(ARITHMETIC) - scan) * part // 16]
        with pytest.raises(PhotoError, match=r"^the photo ends early$") as caught:
            decode(cut + b"\xff\xd9", (32, 32))
        assert caught.value.code is PhotoCode.TRUNCATED


def test_fault_of_our_own_code_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "shrink", lambda: None)  # called with more: an error of dogid

    with pytest.raises(PhotoError, match=r"^a fault of dogid while decoding: TypeError: .+") as caught:
        decode(encode(picture(1, (40, 30)), "PNG"), SIZE)
    assert caught.value.code is PhotoCode.INTERNAL
