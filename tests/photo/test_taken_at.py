"""When a photo was taken: by its EXIF, in every format that has one, and in a process of its own, too."""

import io
import struct

import pillow_heif
import pytest
from PIL import Image

from dogid.clock import iso_utc, parse_moment
from dogid.decoding.byte_budget import ByteBudget
from dogid.decoding.decoder import Decoder
from dogid.photo.decode import decode
from dogid.photo.taken_at import read_taken_at

_EXIF_DIRECTORY = 0x8769
_ORIGINAL, _DIGITIZED, _CHANGED, _OFFSET = 0x9003, 0x9004, 0x0132, 0x9011


def exif(**tags: str) -> Image.Exif:
    made = Image.Exif()
    names = {"original": _ORIGINAL, "digitized": _DIGITIZED, "offset": _OFFSET}
    inner = made.get_ifd(_EXIF_DIRECTORY)
    inner[0x927C] = bytes(3000)  # what makers add
    for name, value in tags.items():
        inner[names[name]] = value
    made[_CHANGED] = "2026:01:01 00:00:00"
    return made


def photo(kind: str, with_exif: Image.Exif) -> bytes:
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    inner = with_exif.get_ifd(_EXIF_DIRECTORY)
    # as TIFF/EP has it; Pillow leaves out the inner directory
    tags = {"tiffinfo": {tag: inner[tag] for tag in (_ORIGINAL, _OFFSET)}} if kind == "TIFF" else {"exif": with_exif}
    Image.new("RGB", (64, 48), "green").save(file, kind, **tags)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_date_is_read_from_every_format_with_exif(kind: str) -> None:
    made = photo(kind, exif(original="2024:05:01 12:34:56", offset="+02:00"))

    assert decode(made, (32, 32)).taken_at == "2024-05-01T12:34:56+02:00"


def test_date_passes_from_a_decoding_process() -> None:
    decoder = Decoder(ByteBudget(1 << 28), 1 << 24, 60.0)
    made = photo("JPEG", exif(original="2024:05:01 12:34:56", offset="+02:00"))
    try:
        assert decoder.decode(made, (32, 32), is_suspect=True).taken_at == "2024-05-01T12:34:56+02:00"
        assert decoder.decode(photo("JPEG", exif()), (32, 32), is_suspect=True).taken_at is None
    finally:
        decoder.close()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"original": "2024:05:01 12:34:56"}, "2024-05-01T12:34:56"),
        ({"original": "2024:05:01 12:34:56", "digitized": "2025:01:01 00:00:00"}, "2024-05-01T12:34:56"),
        ({"digitized": "2024:05:01 12:34:56"}, "2024-05-01T12:34:56"),
        ({"original": "0000:00:00 00:00:00", "digitized": "2024:05:01 12:34:56"}, "2024-05-01T12:34:56"),
        ({"original": "9999:12:31 23:59:59", "digitized": "2024:05:01 12:34:56"}, "2024-05-01T12:34:56"),
        ({"original": "2024:05:01 12:34:56", "offset": "+99:00"}, "2024-05-01T12:34:56"),
        ({"original": "2024:05:01 12:34:56", "offset": "   :  "}, "2024-05-01T12:34:56"),
        ({"original": "2024:13:41 25:61:61"}, None),
        ({"original": "    :  :     :  :  "}, None),
        ({}, None),
    ],
)
def test_date_of_the_moment_counts(tags: dict[str, str], expected: str | None) -> None:
    assert read_taken_at(exif(**tags).tobytes()) == expected


def test_damaged_exif_is_no_reason_to_refuse_a_photo() -> None:
    whole = exif(original="2024:05:01 12:34:56").tobytes()
    for end in range(len(whole) - 3000, len(whole), 7):
        read_taken_at(whole[:end])
    for place in range(6, 400):
        read_taken_at(whole[:place] + b"\xff" + whole[place + 1 :])
    assert read_taken_at(struct.pack("<4sI", b"II*\0", 1 << 31)) is None
    assert read_taken_at(b"") is None


def test_date_without_offset_goes_by_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert iso_utc(parse_moment("2024-07-01T12:00:00")) == "2024-07-01T10:00:00.000Z"
        assert iso_utc(parse_moment("2024-01-01T12:00:00")) == "2024-01-01T11:00:00.000Z"
        assert iso_utc(parse_moment("2024-07-01T12:00:00-05:00")) == "2024-07-01T17:00:00.000Z"
        assert parse_moment("0001-01-01T00:00:00") < 0
    finally:
        monkeypatch.undo()
        time.tzset()
