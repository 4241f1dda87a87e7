"""Whole photos of every format and of its more adventurous kinds, and what programs append to them."""

import random
import struct
from functools import cache
from typing import Any

from PIL import Image

from tests.support.photos import encode, picture

END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"\0\0\0\0IEND\xaeB`\x82", "GIF": b";"}
"""By format; the others have lengths instead."""

_SIZE = (200, 150)
_VIDEO_START = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42"


@cache
def whole_photos() -> dict[str, bytes]:
    """Return photos by format and kind."""
    plain = picture(1, _SIZE)
    several = {"save_all": True, "append_images": [picture(2, _SIZE), picture(3, _SIZE)]}
    return {
        "JPEG": encode(plain, "JPEG", quality=90),
        "JPEG progressive": encode(plain, "JPEG", progressive=True),
        "JPEG optimised": encode(plain, "JPEG", optimize=True),
        "JPEG 4:4:4": encode(plain, "JPEG", subsampling=0),
        "JPEG with restart markers": encode(plain, "JPEG", restart_marker_blocks=7),
        "JPEG with restart markers, progressive": encode(plain, "JPEG", restart_marker_rows=1, progressive=True),
        "JPEG grey": encode(plain.convert("L"), "JPEG"),
        "JPEG CMYK": encode(plain.convert("CMYK"), "JPEG"),
        "JPEG with a thumbnail": with_thumbnail(plain),
        "PNG": encode(plain, "PNG"),
        "PNG uncompressed": encode(plain, "PNG", compress_level=0),
        "PNG palette": encode(plain.quantize(64), "PNG"),
        "PNG 16-bit": encode(plain.convert("I;16"), "PNG"),
        "WEBP": encode(plain, "WEBP"),
        "WEBP lossless": encode(plain, "WEBP", lossless=True),
        "WEBP animated": encode(plain, "WEBP", **several),
        "BMP": encode(plain, "BMP"),
        "BMP palette": encode(plain.quantize(64), "BMP"),
        "GIF": encode(plain, "GIF"),
        "GIF animated": encode(plain, "GIF", **several),
        "TIFF": encode(plain, "TIFF"),
        "TIFF LZW": encode(plain, "TIFF", compression="tiff_lzw"),
        "TIFF deflate": encode(plain, "TIFF", compression="tiff_adobe_deflate"),
        "TIFF PackBits": encode(plain, "TIFF", compression="packbits"),
        "TIFF JPEG": encode(plain, "TIFF", compression="jpeg"),
        "TIFF big": encode(plain, "TIFF", big_tiff=True),
        "TIFF pages": encode(plain, "TIFF", **several),
        "HEIC": encode(plain, "HEIC"),
        "AVIF": encode(plain, "AVIF"),
    }


def tails() -> dict[str, bytes]:
    """Return what follows a photo's own data in some files."""
    return {
        "nothing": b"",
        "a video": _VIDEO_START + random.Random(1).randbytes(70_000) + b"\0\0\0\x20free" + bytes(24),
        "padding": bytes(5000),
        "Samsung's blocks": samsung_trailer(random.Random(2).randbytes(3000)),
        "another photo": encode(picture(9, (64, 48)), "JPEG"),
    }


def samsung_trailer(block: bytes) -> bytes:
    """Return a trailer with one block, as Samsung's phones append it."""
    content = struct.pack("<HHI", 0, 0x0A01, 16) + b"Image_UTC_Data11"[:16] + block
    entry = struct.pack("<HHII", 0, 0x0A01, len(content), len(content))
    directory = b"SEFH" + struct.pack("<II", 107, 1) + entry
    return content + directory + struct.pack("<I", len(directory)) + b"SEFT"


def with_thumbnail(image: Image.Image) -> bytes:
    """Return a JPEG with a JPEG thumbnail in its EXIF block, as cameras write them."""
    thumbnail = encode(image.resize((160, 120)), "JPEG")
    tags = [(0x0103, 3, 6), (0x0201, 4, 0), (0x0202, 4, len(thumbnail))]
    first = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 1, 0, 26)
    at = 8 + len(first) + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value or at) for tag, kind, value in tags)
    exif = b"II*\0\x08\0\0\0" + first + struct.pack("<H", len(tags)) + entries + bytes(4) + thumbnail
    return encode(image, "JPEG", exif=b"Exif\0\0" + exif)


def plain_pictures() -> dict[str, Image.Image]:
    """Return pictures of which much is one colour: night, snow, plain edges."""
    made: dict[str, Image.Image] = {}
    for name, colour in {"night": (0, 0, 0), "snow": (255, 255, 255), "grey card": (128, 128, 128)}.items():
        made[name] = Image.new("RGB", (640, 480), colour)
        half = picture(5, (640, 480))
        half.paste(colour, (0, 160, 640, 480))
        made[f"{name} below"] = half
    return made


def jpegs(image: Image.Image) -> list[bytes]:
    """Return an image as JPEGs of several kinds."""
    kinds: list[dict[str, Any]] = [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}]
    return [encode(image, "JPEG", **options) for options in kinds]
