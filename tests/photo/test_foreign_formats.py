"""Files that are no photos of a kind that is decoded are called by their name."""

import io
import zipfile

import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import decode


def real(kind: str) -> bytes:
    """Return a small picture as Pillow writes that kind."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(buffer, kind)
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("photo.jpg", b"x")
    return buffer.getvalue()


def of_brands(first: bytes, *others: bytes) -> bytes:
    """Return the beginning of an ISO base media file."""
    box = b"ftyp" + first + bytes(4) + b"".join(others)
    return (4 + len(box)).to_bytes(4) + box + bytes(100)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (of_brands(b"avci", b"mif1"), "HEIF is not decoded: convert it"),
        (of_brands(b"crx ", b"isom"), "a camera's raw data is not decoded"),
        (
            of_brands(b"isom", b"iso2", b"mp41"),
            "a video (or sound) is not decoded: only photos are classified; have the camera",
        ),
        (of_brands(b"qt  "), "a video (or sound) is not decoded"),
        (bytes(3) + b"\x08wide" + bytes(100), "a video (or sound) is not decoded"),
        (b"RIFF\0\1\0\0AVI LIST" + bytes(100), "a video (or sound) is not decoded"),
        (b"\x1aE\xdf\xa3" + bytes(100), "a video (or sound) is not decoded"),
        (of_brands(b"M4A "), "a sound recording is not decoded: only photos are classified"),
        (b"RIFF\0\1\0\0WAVEfmt " + bytes(100), "a sound recording is not decoded"),
        (real("JPEG2000"), "JPEG 2000 is not decoded: convert it"),
        (real("PDF"), "a PDF is not decoded: convert it"),
        (archive(), "a ZIP archive (or a document made like one) is not decoded: where photos are in it, unpack it"),
        (b"hello world, this is a text", "not a photo in a known format (JPEG, PNG, WEBP, BMP, GIF, TIFF, HEIC, AVIF)"),
        ((0xFFFFFFFF).to_bytes(4) + b"ftyp", "a video (or sound) is not decoded"),
    ],
)
def test_it_is_named_with_the_way_out(data: bytes, message: str) -> None:
    with pytest.raises(PhotoError) as caught:
        decode(data, (8, 8))

    assert caught.value.code is PhotoCode.UNSUPPORTED
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (of_brands(b"heic", b"mif1", b"heic"), "HEIC is not decoded: have the phone take JPEG (iPhone: Settings"),
        (of_brands(b"mif1", b"mif1", b"heic"), "HEIC is not decoded"),
        (of_brands(b"avif", b"mif1", b"miaf"), "AVIF is not decoded: convert it to JPEG first"),
        (of_brands(b"mif1", b"avif", b"miaf"), "AVIF is not decoded"),
    ],
)
def test_phone_formats_are_named_without_their_libraries(
    monkeypatch: pytest.MonkeyPatch, data: bytes, message: str
) -> None:
    monkeypatch.setattr("dogid.photo.heif.is_available", lambda: False)
    monkeypatch.setattr("dogid.photo.decode.find_spec", lambda _: None)

    with pytest.raises(PhotoError) as caught:
        decode(data, (8, 8))

    assert caught.value.code is PhotoCode.UNSUPPORTED
    assert message in caught.value.message
