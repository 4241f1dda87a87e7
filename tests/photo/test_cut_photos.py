"""No label from a photo of which a part is missing, and no error of one that is all there."""

import numpy as np
import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import decode
from dogid.photo.turbojpeg import decode_mode
from tests.photo.whole_photos import END_MARKS, jpegs, plain_pictures, samsung_trailer, tails, whole_photos
from tests.support.photos import encode

PARTS = 64
SIZE = (64, 64)
WORDS_ON_HOLES = "there are zeros in its place$|not all of its scans are there$|ends before its pixels$"


def code(data: bytes) -> PhotoCode | None:
    """Decode a photo; return the code of its error, or None."""
    try:
        decode(data, SIZE)
    except PhotoError as error:
        return error.code
    return None


def is_complete(data: bytes) -> bool:
    """Whether a photo decodes, and without doubt."""
    try:
        return decode(data, SIZE).complete
    except PhotoError:
        return False


@pytest.mark.parametrize("name", whole_photos())
@pytest.mark.parametrize("tail", tails())
def test_whole_photo_decodes_whatever_is_appended(name: str, tail: str) -> None:
    data = whole_photos()[name]

    decoded = decode(data + tails()[tail], SIZE)

    assert decoded.complete
    assert np.array_equal(decoded.pixels, decode(data, SIZE).pixels)


@pytest.mark.parametrize("name", whole_photos())
def test_photo_cut_anywhere_is_truncated(name: str) -> None:
    data = whole_photos()[name]

    codes = [code(data[: len(data) * part // PARTS]) for part in range(1, PARTS)]

    assert codes == [PhotoCode.TRUNCATED] * (PARTS - 1)


@pytest.mark.parametrize("name", [name for name in whole_photos() if name.split()[0] in END_MARKS])
@pytest.mark.parametrize("tail", ["nothing", "padding", "a video", "Samsung's blocks"])
def test_cut_photo_with_an_end_mark_is_never_decoded(name: str, tail: str) -> None:
    kind = name.split()[0]
    if kind == "GIF" and tail not in ("nothing", "padding"):
        pytest.skip("a GIF's last block swallows its end mark, and what follows may look like blocks")
    data, after = whole_photos()[name], END_MARKS[kind] + tails()[tail]

    codes = [code(data[: len(data) * part // PARTS] + after) for part in range(1, PARTS)]

    assert None not in codes


@pytest.mark.parametrize("name", [name for name in whole_photos() if name.startswith("JPEG")])
def test_jpeg_with_a_hole_of_zeros_is_truncated(name: str) -> None:
    data = whole_photos()[name]
    hole = len(data) // 8

    for at in range(len(data) // 3, len(data) - hole - 2, len(data) // 20):
        with pytest.raises(PhotoError, match=WORDS_ON_HOLES) as caught:
            decode(data[:at] + bytes(hole) + data[at + hole :], SIZE)
        assert caught.value.code is PhotoCode.TRUNCATED, f"hole at {at} of {len(data)}"


@pytest.mark.parametrize("name", ["PNG", "PNG palette", "PNG 16-bit"])
def test_png_with_a_wrong_byte_is_doubtful_at_least(name: str) -> None:
    data = whole_photos()[name]
    places = range(data.index(b"IDAT") + 6, len(data) - 16, len(data) // 12)
    damaged = [data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :] for at in places]

    codes = [code(each) for each in damaged]

    assert codes.count(PhotoCode.CORRUPT) > len(codes) / 2  # of the others all can be unpacked
    assert not any(map(is_complete, damaged))


def test_jpeg_with_codes_that_do_not_exist_is_corrupt() -> None:
    data = whole_photos()["JPEG"]
    scan = data.rindex(b"\xff\xda") + 14
    damaged = [data[:at] + data[at + 64 :] for at in range(scan, len(data) - 80, 37)]

    found = [code(each) for each in damaged if "bad Huffman code" in decode_mode(each, "RGB", (200, 150))[2]]

    assert found
    assert set(found) == {PhotoCode.CORRUPT}
    with pytest.raises(PhotoError, match=r"^the photo is damaged: bytes are missing or wrong \(Corrupt JPEG data: bad"):
        decode(next(each for each in damaged if code(each) is PhotoCode.CORRUPT), SIZE)


@pytest.mark.parametrize("name", [name for name in whole_photos() if name.startswith("JPEG")])
def test_jpeg_with_bytes_left_out_is_doubtful_at_least(name: str) -> None:
    data = whole_photos()[name]
    hole = len(data) // 8

    for at in range(len(data) // 3, len(data) - hole - 2, len(data) // 20):
        assert not is_complete(data[:at] + data[at + hole :]), f"hole at {at} of {len(data)}"


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_without_some_of_its_scans_is_truncated(progressive: bool) -> None:
    data = encode(Image.new("RGB", (64, 64), (200, 30, 30)), "JPEG", progressive=progressive)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert (len(scans) > 1) is progressive

    for at in scans[1:]:
        table = data.rfind(b"\xff\xc4", 0, at)  # of the scan that is left out
        assert code(data[: max(table, 0)] + b"\xff\xd9") is PhotoCode.TRUNCATED
        assert code(data[:at] + b"\xff\xd9") is PhotoCode.TRUNCATED
    assert code(data) is None


@pytest.mark.parametrize("name", plain_pictures())
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF", "HEIC", "AVIF"])
def test_picture_of_one_colour_is_not_taken_for_a_cut_one(name: str, kind: str) -> None:
    assert code(encode(plain_pictures()[name], kind)) is None


@pytest.mark.parametrize("name", plain_pictures())
def test_jpeg_of_one_colour_is_whole(name: str) -> None:
    for data in jpegs(plain_pictures()[name]):
        assert decode(data, SIZE).complete


def test_samsung_panorama_without_end_mark_decodes() -> None:
    data = whole_photos()["JPEG"]

    decoded = decode(data[:-2] + samsung_trailer(tails()["a video"]), SIZE)

    assert decoded.complete
    assert np.array_equal(decoded.pixels, decode(data, SIZE).pixels)


@pytest.mark.parametrize("tail", ["a video", "padding"])
def test_bytes_left_over_before_a_trailer_are_harmless(tail: str) -> None:
    data = whole_photos()["JPEG"]
    data = data[:2] + b"\xff\xfe\0\x82" + bytes(128) + data[2:]  # zeros in its header are no hole

    decoded = decode(data[:-2] + b"\x12\x34\x56" + samsung_trailer(tails()[tail]), SIZE)

    assert decoded.complete
    assert np.array_equal(decoded.pixels, decode(data, SIZE).pixels)


def test_jpeg_without_end_mark_is_believed_once_settled() -> None:
    data = whole_photos()["JPEG"]

    decoded = decode(data[:-2], SIZE)

    assert not decoded.complete
    assert np.array_equal(decoded.pixels, decode(data, SIZE).pixels)


@pytest.mark.parametrize("name", [name for name in whole_photos() if name.startswith("JPEG")])
def test_jpeg_with_bytes_left_over_decodes(name: str) -> None:
    data = whole_photos()[name]

    decoded = decode(data[:-2] + b"\x12\x34\x56" + data[-2:], SIZE)  # as some cameras write them

    assert np.array_equal(decoded.pixels, decode(data, SIZE).pixels)


def test_bytes_left_over_leave_a_doubt() -> None:
    data = whole_photos()["JPEG"]

    assert not decode(data[:-2] + b"\x12\x34\x56" + data[-2:], SIZE).complete


def test_bytes_between_header_segments_are_harmless() -> None:
    data = whole_photos()["JPEG"]
    table = data.index(b"\xff\xdb")

    decoded = decode(data[:table] + b"junk" + data[table:], SIZE)

    assert decoded.complete
    assert np.array_equal(decoded.pixels, decode(data, SIZE).pixels)


def test_jpeg_padded_before_its_end_mark_is_whole() -> None:
    data = whole_photos()["JPEG"]

    assert decode(data[:-2] + bytes(500) + data[-2:], SIZE).complete
