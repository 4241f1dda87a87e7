"""What a photo that is not decoded says of itself: the code, and the words that a user reads."""

import re
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import decode as decoding
from dogid.photo import heif
from dogid.photo.decode import decodable_formats, decode, decode_complete
from dogid.photo.extent.jpeg import read_header
from tests.photo.whole_photos import samsung_trailer, whole_photos
from tests.support.photos import encode, picture

SIZE = (32, 32)
JPEG = whole_photos()["JPEG"]
HEADER = read_header(JPEG)
HALF = HEADER.scan + (len(JPEG) - HEADER.scan) // 2
FRAME = next(segment.at for segment in HEADER.segments if segment.marker == 0xC0)
COMMENT = b"\xff\xfe\0\2"


def with_bits(count: int) -> bytes:
    """Return the JPEG as one of so many bits a sample."""
    return JPEG[: FRAME + 4] + bytes([count]) + JPEG[FRAME + 5 :]


def damaged(name: str, at: int, value: int) -> bytes:
    """Return a whole photo with another byte in one place."""
    data = bytearray(whole_photos()[name])
    data[at] = value
    return bytes(data)


def without_last_scans() -> bytes:
    """Return a progressive JPEG that ends before its fourth scan."""
    data = whole_photos()["JPEG progressive"]
    scans = [found.start() for found in re.finditer(b"\xff\xda", data)]
    return data[: scans[3]] + b"\xff\xd9"


def with_png_pixels(change: Callable[[bytes], bytes]) -> bytes:
    """Return a PNG, valid as a file, whose compressed pixels were changed."""
    data = encode(picture(1, (40, 30)), "PNG")
    at = data.index(b"IDAT")
    end = at + 4 + int.from_bytes(data[at - 4 : at])
    pixels = change(data[at + 4 : end])
    checksum = zlib.crc32(b"IDAT" + pixels).to_bytes(4)
    return data[: at - 4] + len(pixels).to_bytes(4) + b"IDAT" + pixels + checksum + data[end + 4 :]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", PhotoCode.EMPTY, "the file is empty"),
        (whole_photos()["PNG"][:5], PhotoCode.TRUNCATED, "the photo ends inside its header"),
        (JPEG[:200], PhotoCode.TRUNCATED, "the photo ends inside its header"),
        (b"\xff\xd8\xff\xd9", PhotoCode.TRUNCATED, "the photo ends before its pixels"),
        (b"\xff\xd8\0\1\2\3", PhotoCode.CORRUPT, "the photo's header is damaged"),
        (damaged("PNG", 17, 0xFF), PhotoCode.CORRUPT, "the photo's header is damaged"),
        (
            b"\xff\xd8" + COMMENT * (2001 - len(HEADER.segments)) + JPEG[2:],
            PhotoCode.CORRUPT,
            "the photo's header is damaged: it has too many segments",
        ),
        (without_last_scans(), PhotoCode.TRUNCATED, "the photo ends early: not all of its scans are there"),
        (JPEG[:HALF], PhotoCode.TRUNCATED, "the end of the photo is not written"),
        (JPEG[:HALF] + b"\xff\xe0\0\4ab", PhotoCode.TRUNCATED, "the end of the photo is not written"),
        (
            JPEG[:HALF] + b"\xff\xd9",
            PhotoCode.TRUNCATED,
            "the photo ends early: Corrupt JPEG data: premature end of data segment",
        ),
        (
            JPEG[:2] + b"\xff\xfe\0\x82" + bytes(128) + JPEG[2:HALF] + b"\xff\xd9",  # zeros in its header are no hole
            PhotoCode.TRUNCATED,
            "the photo ends early: Corrupt JPEG data: premature end of data segment",
        ),
        (
            JPEG[:HALF] + b"\xff\xd9" + bytes(128),
            PhotoCode.TRUNCATED,
            "the photo ends early: Corrupt JPEG data: premature end of data segment",
        ),
        (JPEG[:HALF] + samsung_trailer(bytes([7]) * 99), PhotoCode.TRUNCATED, "the end of the photo is not written"),
        (
            JPEG[:HALF] + bytes(len(JPEG) - HALF - 2) + b"\xff\xd9",
            PhotoCode.TRUNCATED,
            "a part of the photo is not written: there are zeros in its place",
        ),
        (with_bits(12), PhotoCode.UNSUPPORTED, "a JPEG of 12 bits is not decoded: save it with 8 bits first"),
        (with_bits(16), PhotoCode.UNSUPPORTED, "a JPEG of 16 bits is not decoded: save it with 8 bits first"),
        (
            damaged("BMP", 30, 9),
            PhotoCode.UNSUPPORTED,
            "a BMP of this kind is not decoded: Unsupported BMP compression (9); convert it first",
        ),
        (
            with_png_pixels(lambda pixels: pixels[:100]),
            PhotoCode.TRUNCATED,
            "the photo ends early: image file is truncated (0 bytes not processed)",
        ),
        (
            with_png_pixels(lambda pixels: bytes(len(pixels))),
            PhotoCode.CORRUPT,
            "the photo is damaged: broken data stream when reading image file",
        ),
        (
            whole_photos()["GIF"][:20] + b"\xff" * 900,
            PhotoCode.CORRUPT,
            "the photo is damaged: its blocks do not follow each other",
        ),
    ],
)
def test_refusal_says_why(data: bytes, code: PhotoCode, words: str) -> None:
    with pytest.raises(PhotoError) as caught:
        decode(data, SIZE)

    assert (caught.value.code, str(caught.value)) == (code, words)


def test_formats_that_are_not_installed_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_installed in (True, False):
        monkeypatch.setattr(heif, "is_available", lambda found=is_installed: found)
        assert ("HEIC" in decodable_formats().split(", ")) is is_installed


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("JPEG", "30000 pixels; at most 1000 are decoded (max_pixels)"),
        ("PNG", "more than 1000 pixels are not decoded (max_pixels)"),  # which Pillow refuses itself
    ],
)
def test_too_many_pixels_name_the_limit(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PhotoError) as caught:
        decode(whole_photos()[name], SIZE)

    assert caught.value.code is PhotoCode.TOO_LARGE
    assert str(caught.value) == words


def test_pixels_that_do_not_fit_into_memory_are_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoding, "shrink", fail)
    with pytest.raises(PhotoError) as caught:
        decode(whole_photos()["PNG"], SIZE)

    assert caught.value.code is PhotoCode.TOO_LARGE
    assert str(caught.value) == "not enough memory to decode it"


def test_header_of_many_segments_is_read() -> None:
    data = b"\xff\xd8" + COMMENT * (2000 - len(HEADER.segments)) + JPEG[2:]

    assert decode(data, SIZE).complete


def test_doubtful_photo_is_not_learnt_from() -> None:
    doubtful = JPEG[:-2]
    assert not decode(doubtful, SIZE).complete
    with pytest.raises(PhotoError) as caught:
        decode_complete(doubtful, SIZE)

    assert caught.value.code is PhotoCode.TRUNCATED
    assert str(caught.value) == "the photo may be damaged, or not written to its end"
    assert decode_complete(JPEG, SIZE).pixels.tolist() == decode(JPEG, SIZE).pixels.tolist()
