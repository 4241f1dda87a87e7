"""What decoding takes is known from the header, and what the header cannot vouch for is decoded elsewhere."""

import io
import struct
import zlib

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
    ("data", "needs_process"),
    [
        (photo(1), False),
        (photo(1, "PNG"), False),
        (photo(1, "WEBP"), False),
        (photo(1, "GIF"), False),
        (photo(1, "BMP"), False),
        (photo(1, "TIFF"), True),
        (photo(1, "AVIF"), True),
        (many_scans(10), False),
        (many_scans(100), True),
        (png_of_many_chunks(800_000), True),
        (gif_of_many_blocks(5_000_000), True),
        (b"no photo", False),
    ],
    ids=["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "scans", "many scans", "chunks", "blocks", "text"],
)
def test_what_may_take_long_needs_a_process(data: bytes, needs_process: bool) -> None:
    assert estimate_cost(data, SIZE).needs_process is needs_process


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("length", [4, 13, 20, 27, 100])
def test_header_that_is_cut_costs_little(kind: str, length: int) -> None:
    assert estimate_cost(photo(1, kind)[:length], SIZE).memory < 30 * MB


def test_size_counts_and_not_the_files_length() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (9000, 9000)).save(stream, "PNG")
    assert len(stream.getvalue()) < MB
    assert 4 * 81_000_000 < estimate_cost(stream.getvalue(), SIZE).memory < 6 * 81_000_000


def test_progressive_jpeg_costs_its_coefficients() -> None:
    baseline, progressive = io.BytesIO(), io.BytesIO()
    image = Image.new("RGB", (4000, 3000))
    image.save(baseline, "JPEG")
    image.save(progressive, "JPEG", progressive=True)

    assert estimate_cost(baseline.getvalue(), SIZE).memory < 6 * MB
    assert estimate_cost(progressive.getvalue(), SIZE).memory > 36 * MB
