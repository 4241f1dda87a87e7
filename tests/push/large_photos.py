"""Photos that take much memory or time: ordinary large ones, and some that were made for that."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

_FLOOD = 24_000_000  # empty segments, of four bytes
_SCANS, _SCAN_BYTES = 140_000, 18_000_000


def make_webps(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and ordinary lossy WebPs of 12 megapixels."""
    data = _save(_picture(4000, 3000), "WEBP", quality=75, method=0)
    yield from ((f"camera-{number}.webp", data + bytes([number])) for number in range(count))


def make_progressive(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and progressive JPEGs of 50 megapixels."""
    data = _save(_picture(8660, 5773), "JPEG", quality=85, progressive=True)
    yield from ((f"progressive-{number}.jpg", data + bytes([number])) for number in range(count))


def make_webp_bomb() -> bytes:
    """Return a lossy WebP of a few kB that decodes to 89 megapixels."""
    return _save(Image.new("RGB", (9459, 9459), (200, 180, 30)), "WEBP", quality=0, method=0)


def make_lossless_bomb() -> bytes:
    """Return a lossless WebP of 89 megapixels with more colours than a palette has."""
    image = Image.new("RGB", (9459, 9459))
    image.paste(_picture(400, 400), (0, 0))
    return _save(image, "WEBP", lossless=True, quality=0, method=0)


def make_many_scans() -> bytes:
    """Return a progressive JPEG one of whose scans comes 140,000 times."""
    data = _save(Image.new("L", (6000, 6000), 90), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:-2] + scan * (min(_SCANS, _SCAN_BYTES // len(scan)) - 1) + data[-2:]


def make_flood() -> bytes:
    """Return a JPEG behind 24 million empty segments."""
    data = _save(_picture(400, 300), "JPEG")
    return data[:2] + b"\xff\xe5\0\2" * _FLOOD + data[2:]


def _picture(width: int, height: int) -> Image.Image:
    small = np.random.default_rng(1).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
