"""Which image of a TIFF is the photo, and kinds of pixels that are rare."""

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import decode
from tests.support.photos import encode, picture

SIZE = (40, 30)
TEXT = 2
Tags = dict[int, tuple[int, int | list[int] | bytes]]
"""Type and value by tag; bytes are put elsewhere in the file, their place and length into two tags."""


def tiff(*directories: Tags) -> bytes:
    """Return a little-endian TIFF with a chain of directories; a value of bytes stands for its place in the file."""
    data = bytearray(b"II*\0" + bytes(4))
    link = 4
    for directory in directories:
        entries: list[bytes] = []
        for tag, (kind, value) in sorted(directory.items()):
            count, stored = _value(data, kind, value)
            entries.append(struct.pack("<HHI", tag, kind, count) + stored)
        data[link : link + 4] = struct.pack("<I", len(data))
        data += struct.pack("<H", len(entries)) + b"".join(entries)
        link = len(data)
        data += bytes(4)
    return bytes(data)


def pixels_first(pixels: bytes, tags: Tags) -> bytes:
    """Return a TIFF with the pixels from byte 8 on, then its directory."""
    data = bytearray(b"II*\0" + bytes(4) + pixels)
    entries = []
    for tag, (kind, value) in sorted(tags.items()):
        count, stored = _value(data, kind, value)
        entries.append(struct.pack("<HHI", tag, kind, count) + stored)
    data[4:8] = struct.pack("<I", len(data))
    return bytes(data + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))


def _value(data: bytearray, kind: int, value: int | list[int] | bytes) -> tuple[int, bytes]:
    if isinstance(value, bytes):
        data += value
        return len(value) if kind == TEXT else 1, struct.pack("<I", len(data) - len(value))
    values = [value] if isinstance(value, int) else value
    packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
    if len(packed) > 4:
        data += packed
        packed = struct.pack("<I", len(data) - len(packed))
    return len(values), packed.ljust(4, b"\0")


def raw_image(pixels: bytes, width: int, height: int, **changes: Any) -> Tags:
    tags: Tags = {
        256: (3, width),
        257: (3, height),
        258: (3, [8, 8, 8]),
        259: (3, 1),
        262: (3, 2),
        273: (4, pixels),
        277: (3, 3),
        278: (3, height),
        279: (4, len(pixels)),
    }
    tags.update({int(tag[1:]): value for tag, value in changes.items()})
    return tags


def code(data: bytes) -> tuple[PhotoCode, str]:
    with pytest.raises(PhotoError) as caught:
        decode(data, SIZE)
    return caught.value.code, caught.value.message


def raw_file(preview: Image.Image, turn: int = 1, date: bytes = b"", **options: Any) -> bytes:
    """Return a file as cameras write their raw data: thumbnail, sensor's data, preview; date is of the whole."""
    dates = {"t36867": (TEXT, date)} if date else {}
    thumbnail = raw_image(bytes(16 * 12 * 3), 16, 12, t254=(4, 1), t274=(3, turn), **dates)
    sensor = raw_image(bytes(64 * 48), 64, 48, t258=(3, 8), t262=(3, 32803), t277=(3, 1))
    jpeg = encode(preview, "JPEG", **options)
    return tiff(thumbnail, sensor, {259: (3, 6), 513: (4, jpeg), 514: (4, len(jpeg))})


def test_page_that_is_no_reduced_image_is_the_photo() -> None:
    image = picture(1, (60, 45))
    thumbnail = raw_image(bytes(16 * 12 * 3), 16, 12, t254=(4, 1))

    decoded = decode(tiff(thumbnail, raw_image(image.tobytes(), 60, 45)), (60, 45))

    assert np.array_equal(decoded.pixels, np.asarray(image))


@pytest.mark.parametrize(("turn", "size"), [(1, (800, 600)), (6, (600, 800))])
def test_raw_file_is_its_preview_upright(turn: int, size: tuple[int, int]) -> None:
    decoded = decode(raw_file(picture(2, (800, 600)), turn), SIZE)

    assert (decoded.width, decoded.height) == size
    assert decoded.complete


@pytest.mark.parametrize(
    ("of_preview", "expected"), [("", "2024-05-01T12:34:56"), ("2024:05:02 00:00:00", "2024-05-02T00:00:00")]
)
def test_raw_file_was_taken_when_its_preview_or_else_itself_says(of_preview: str, expected: str) -> None:
    exif = Image.Exif()
    if of_preview:
        exif.get_ifd(0x8769)[0x9003] = of_preview

    decoded = decode(raw_file(picture(2, (800, 600)), date=b"2024:05:01 12:34:56\0", exif=exif), SIZE)

    assert decoded.taken_at == expected


def test_raw_file_with_a_thumbnail_only_is_unsupported() -> None:
    found, message = code(raw_file(picture(2, (160, 120))))

    assert found is PhotoCode.UNSUPPORTED
    assert "raw data" in message
    assert "convert it to JPEG" in message


def test_raw_file_that_is_cut_off_is_truncated() -> None:
    data = raw_file(picture(2, (800, 600)))

    for part in range(1, 64):
        assert code(data[: len(data) * part // 64])[0] is PhotoCode.TRUNCATED


@pytest.mark.parametrize("strips", [1, 3])
def test_16_bits_in_planes_decode(strips: int) -> None:
    image = picture(1, (40, 30))
    planes = (np.asarray(image).astype("<u2") * 257).transpose(2, 0, 1).tobytes()
    tags = raw_image(planes, 40, 30, t258=(3, [16, 16, 16]), t284=(3, 2))
    length = len(planes) // 3 // strips
    tags[278] = (3, 30 // strips)
    tags[273] = (4, [8 + number * length for number in range(3 * strips)])
    tags[279] = (4, [length] * 3 * strips)

    decoded = decode(pixels_first(planes, tags), SIZE)

    assert np.array_equal(decoded.pixels, np.asarray(image))


def test_grey_with_premultiplied_alpha_is_put_on_white() -> None:
    pixels = bytes([60, 128]) * (40 * 30)
    tags = raw_image(pixels, 40, 30, t258=(3, [8, 8]), t262=(3, 1), t277=(3, 2), t338=(3, 1))

    decoded = decode(tiff(tags), SIZE)

    assert abs(int(decoded.pixels[5, 5, 0]) - (60 + 127)) < 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"t259": (3, 50001)}, "WebP"),
        ({"t262": (3, 6), "t530": (3, [2, 1]), "t279": (4, 40 * 30 * 2)}, "YCbCr"),
        ({"t258": (3, [12, 12, 12])}, "12 bits"),
    ],
)
def test_kind_that_is_not_decoded_is_named(changes: dict[str, Any], words: str) -> None:
    found, message = code(tiff(raw_image(bytes(40 * 30 * 6), 40, 30, **changes)))

    assert found is PhotoCode.UNSUPPORTED
    assert words in message
    assert "convert it to JPEG" in message


def test_values_beyond_the_end_are_truncated() -> None:
    tags = raw_image(bytes(40 * 30 * 3), 40, 30)
    data = tiff(tags)
    profile = struct.pack("<HHII", 34675, 7, 5000, len(data) - 100)
    count = len(tags)
    at = int.from_bytes(data[4:8], "little")
    longer = data[:at] + struct.pack("<H", count + 1) + data[at + 2 : at + 2 + 12 * count] + profile + bytes(4)

    assert code(longer)[0] is PhotoCode.TRUNCATED


def test_last_strip_with_the_length_of_the_others_is_whole() -> None:
    pixels = picture(1, (40, 30)).tobytes()
    tags = raw_image(pixels, 40, 30, t278=(3, 20))
    strip = 40 * 20 * 3
    tags[273], tags[279] = (4, [8, 8 + strip]), (4, [strip, strip])

    decoded = decode(pixels_first(pixels, tags), SIZE)

    assert np.array_equal(decoded.pixels, np.asarray(picture(1, (40, 30))))
