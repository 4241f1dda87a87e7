"""What decoding takes is known from the header, and what the header cannot vouch for is decoded elsewhere."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from dogid.photo.decode_cost import estimate_cost
from tests.support.photos import photo

SIZE = (224, 224)
MB = 1 << 20


def many_scans(count: int) -> bytes:
    """A progressive JPEG of 4 megapixels, one of whose scans comes so often."""
    stream = io.BytesIO()
    Image.new("L", (2000, 2000), 90).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def png_of_many_chunks(count: int) -> bytes:
    data = photo(1, "PNG")
    chunk = struct.pack(">I", 0) + b"teSt" + struct.pack(">I", zlib.crc32(b"teSt"))
    return data[:33] + chunk * count + data[33:]


def gif_of_many_blocks(count: int) -> bytes:
    return photo(1, "GIF")[:-1] + b"\x21\xfe" + b"\x01x" * count + b"\0;"


@pytest.mark.parametrize(
    ("make", "needs_process"),
    [
        (lambda: photo(1), False),
        (lambda: photo(1, "PNG"), False),
        (lambda: photo(1, "WEBP"), False),
        (lambda: photo(1, "GIF"), False),
        (lambda: photo(1, "BMP"), False),
        (lambda: photo(1, "TIFF"), True),
        (lambda: photo(1, "AVIF"), True),
        (lambda: many_scans(10), False),
        (lambda: many_scans(100), True),
        (lambda: png_of_many_chunks(800_000), True),
        (lambda: gif_of_many_blocks(5_000_000), True),
        (lambda: b"no photo", False),
    ],
    ids=["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "scans", "many scans", "chunks", "blocks", "text"],
)
def test_what_may_take_long_needs_a_process(make: Callable[[], bytes], needs_process: bool) -> None:
    assert estimate_cost(make(), SIZE).needs_process is needs_process


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("length", [4, 13, 20, 27, 100])
def test_header_that_is_cut_costs_little(kind: str, length: int) -> None:
    assert estimate_cost(photo(1, kind)[:length], SIZE).memory < 30 * MB


def test_size_counts_and_not_the_files_length() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (5000, 5000)).save(stream, "PNG")
    assert len(stream.getvalue()) < MB
    assert 4 * 25_000_000 < estimate_cost(stream.getvalue(), SIZE).memory < 6 * 25_000_000


def test_progressive_jpeg_costs_its_coefficients() -> None:
    baseline, progressive = io.BytesIO(), io.BytesIO()
    image = Image.new("RGB", (4000, 3000))
    image.save(baseline, "JPEG")
    image.save(progressive, "JPEG", progressive=True)

    assert estimate_cost(baseline.getvalue(), SIZE).memory < 6 * MB
    assert estimate_cost(progressive.getvalue(), SIZE).memory > 36 * MB


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(size: tuple[int, int]) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))


def large(kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(stream, kind, **options)
    return stream.getvalue()


def png_with_a_text_first() -> bytes:
    data = large("PNG")
    fake = b"teSt" + struct.pack(">IIBB", 8, 8, 8, 2)
    return data[:8] + chunk(fake[:4], fake[4:]) + data[8:]


def png_with_two_headers() -> bytes:
    data = large("PNG")
    return data[:8] + png_header((8, 8)) + data[8:]


def png_of_late_transparency() -> bytes:
    data = large("PNG")
    return data[:33] + chunk(b"teSt", bytes(1 << 17)) + chunk(b"tRNS", bytes(6)) + data[33:]


def gif_beyond_its_screen(before: bytes = b"") -> bytes:
    data = large("GIF")
    table = 3 << (data[10] & 7) + 1
    first = 13 + table
    return data[:6] + struct.pack("<HH", 8, 8) + data[10:first] + before + data[first:]


def webp_of_many_chunks() -> bytes:
    simple = large("WEBP", lossless=True)
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (1999).to_bytes(3, "little") * 2
    body += (b"teSt" + bytes(4)) * 100 + simple[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def webp_of_unannounced_alpha() -> bytes:
    simple = large("WEBP")
    alpha = b"ALPH" + struct.pack("<I", 2) + bytes(2)
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (1999).to_bytes(3, "little") * 2 + alpha + simple[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


# a decoder reads on behind an empty extension: what seems to be the picture is a part of it
DIVERGING = b"\x21\x01\x00" + b"\x2c" + bytes(0x2C) + b"\x00"


@pytest.mark.parametrize(
    ("make", "bytes_a_pixel"),
    [
        (png_with_a_text_first, 4),
        (png_with_two_headers, 4),
        (png_of_late_transparency, 12),
        (gif_beyond_its_screen, 9),
        (lambda: gif_beyond_its_screen(DIVERGING), 9),
        (webp_of_many_chunks, 4),
        (webp_of_unannounced_alpha, 2),
    ],
    ids=["text first", "two headers", "late tRNS", "frame", "empty extension", "many chunks", "alpha"],
)
def test_hostile_header_hides_no_memory(make: Callable[[], bytes], bytes_a_pixel: int) -> None:
    cost = estimate_cost(make(), SIZE)
    assert cost.needs_process or cost.memory >= 2000 * 2000 * bytes_a_pixel


def test_compressed_texts_of_a_png_count() -> None:
    data = photo(1, "PNG")
    text = chunk(b"zTXt", b"name\0\0" + zlib.compress(bytes(1 << 20)))
    assert estimate_cost(data[:33] + text * 40 + data[33:], SIZE).memory > 40 * MB


@pytest.mark.parametrize("count", [1, 64])
def test_png_of_ordinary_chunks_stays_in_its_thread(count: int) -> None:
    data = photo(1, "PNG")
    assert not estimate_cost(data[:33] + chunk(b"tEXt", b"name\0text") * count + data[33:], SIZE).needs_process


def tiff_of_many_directories(count: int, entries: int) -> bytes:
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for _ in range(count):
        data += struct.pack("<H", entries) + struct.pack("<HHII", 256, 4, 1, 8) * entries
        data += struct.pack("<I", len(data) + 4)
    return bytes(data) + bytes(8)


def test_directories_of_a_tiff_keep_no_thread_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    unpack_from = struct.unpack_from

    def count_and_unpack(layout: str, data: bytes, at: int = 0) -> tuple[Any, ...]:
        read.append(at)
        return unpack_from(layout, data, at)

    monkeypatch.setattr(struct, "unpack_from", count_and_unpack)
    for hostile in (tiff_of_many_directories(500, 200), tiff_of_many_directories(1000, 20)):
        assert estimate_cost(hostile, SIZE).needs_process
    assert 1000 < len(read) < 20_000


def test_tiff_of_many_strips_costs_its_pixels() -> None:
    stream = io.BytesIO()
    Image.new("L", (10, 20_000)).save(stream, "TIFF", tiffinfo={278: 1})
    assert estimate_cost(stream.getvalue(), SIZE).memory > 9 * 200_000
