"""Files that are no photos of a kind that is decoded are called by their name."""

import io
import zipfile

import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo import decode


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


def of_brand(brand: bytes) -> bytes:
    """Return the beginning of an ISO base media file."""
    return (24).to_bytes(4) + b"ftyp" + brand + bytes(4) + b"mif1" + brand + bytes(100)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (of_brand(b"heic"), "HEIC is not decoded: have the phone take JPEG"),
        (of_brand(b"mif1"), "HEIC is not decoded"),
        (of_brand(b"avif"), "AVIF is not decoded: convert it to JPEG first"),
        (of_brand(b"crx "), "a camera's raw data (CR3) is not decoded"),
        (of_brand(b"isom"), "a video is not decoded: only photos are classified"),
        (of_brand(b"qt  "), "a video is not decoded"),
        (real("PDF"), "a PDF is not decoded"),
        (archive(), "a ZIP archive is not decoded"),
        (b"hello world, this is a text", "not a photo in a known format (JPEG, PNG, WEBP, BMP, GIF, TIFF)"),
    ],
)
def test_it_is_named_with_the_way_out(data: bytes, told: str) -> None:
    with pytest.raises(PhotoError) as caught:
        decode(data, (8, 8))

    assert caught.value.code is PhotoCode.UNSUPPORTED
    assert told in caught.value.message
