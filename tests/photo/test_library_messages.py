"""Nothing that Pillow or libtiff print about a damaged photo reaches a user."""

import subprocess
import sys
from pathlib import Path

from tests.support.daemon import environment
from tests.support.photos import encode, picture, put

_THREE_SAMPLES = b"\x15\x01\x03\0\1\0\0\0\3\0"  # an entry of a TIFF's directory
DECODE_ALL = """
import sys
from dogid.errors import PhotoError
from dogid.photo.decode import decode
for path in sys.argv[1:]:
    try:
        decode(open(path, "rb").read(), (32, 32))
    except PhotoError:
        pass
"""


def test_libraries_print_nothing(tmp_path: Path) -> None:
    image = picture(1, (200, 150))
    lzw = bytearray(encode(image, "TIFF", compression="tiff_lzw"))
    lzw[200:4000] = b"\xff" * 3800  # inside the strips
    jpeg = bytearray(encode(image, "TIFF", compression="jpeg"))
    jpeg[200:2000] = b"\0" * 1800
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(20)
    photos = {
        "lzw.tif": bytes(lzw),
        "jpeg.tif": bytes(jpeg),
        "cut.tif": encode(image, "TIFF", compression="tiff_lzw")[:-30],
        "many_samples.tif": encode(image, "TIFF").replace(_THREE_SAMPLES, _THREE_SAMPLES[:8] + b"\xff\x7f"),
        "exif.png": encode(image, "PNG", exif=exif),
        "exif.jpg": encode(image, "JPEG", exif=exif),
        "header.webp": encode(image, "WEBP")[:40],
    }
    paths = [put(tmp_path / name, data) for name, data in photos.items()]

    ran = subprocess.run([sys.executable, "-c", DECODE_ALL, *paths], capture_output=True, text=True, env=environment())

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
