"""Small images that are enormous once they are decoded."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from tests.attacks.resources import MIB, measure_peak
from tests.attacks.wire import request
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

SIDE = 30_000
GROWTH = 400 * MIB
"""What the largest photo that is decoded (max_pixels) takes; a bomb of these would take 2.7 GB."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zeros(number: int) -> bytes:
    """So many zeros, packed by zlib (RFC 1950), without holding them."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(bytes(number % MIB)) + packer.flush()
    checksum = (number % 65_521) << 16 | 1
    return b"\x78\xda" + block * (number // MIB) + end + checksum.to_bytes(4, "big")


def _png(width: int, height: int, *more: bytes, pixels: bytes | None = None) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = _zeros((width * 3 + 1) * height) if pixels is None else pixels
    body = b"".join(more) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + body


def _gif(width: int, height: int) -> bytes:
    small = bytearray(photo(1, "GIF", size=(8, 8)))
    small[6:10] = struct.pack("<HH", width, height)
    return bytes(small)


def _jpeg(width: int, height: int) -> bytes:
    data = bytearray(photo(1, size=(64, 64)))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _bmp(width: int, height: int) -> bytes:
    data = bytearray(photo(1, "BMP", size=(8, 8)))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def _tiff(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "TIFF", compression="group4")
    return stream.getvalue()


def _webp() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16_383, 6_000)).save(stream, "WEBP", lossless=True, quality=0, method=0)
    return stream.getvalue()


def _animated_gif() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("P", (2000, 2000), number % 256) for number in range(60)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


TEXT_BOMB = _chunk(b"zTXt", b"a\0\0" + _zeros(100 * MIB))
PROFILE_BOMB = _chunk(b"iCCP", b"a\0\0" + _zeros(100 * MIB))
ITXT_BOMB = _chunk(b"iTXt", b"a\0\1\0\0\0" + _zeros(100 * MIB))
ROW = zlib.compress(bytes((8 * 3 + 1) * 8))

BOMBS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "a PNG of zeros": (lambda: _png(SIDE, SIDE), "too_large"),
    "a PNG that says it is wide": (lambda: _png(2**31 - 1, 1, pixels=ROW), "too_large"),
    "a PNG that says it is huge": (lambda: _png(2**31 - 1, 2**31 - 1, pixels=ROW), "too_large"),
    "a GIF that says it is huge": (lambda: _gif(65_535, 65_535), "too_large"),
    "a JPEG that says it is huge": (lambda: _jpeg(65_500, 65_500), "too_large"),
    "a BMP that says it is huge": (lambda: _bmp(60_000, 60_000), "too_large"),
    "a TIFF of zeros": (lambda: _tiff(SIDE, SIDE), "too_large"),
    "a WEBP of zeros": (_webp, "too_large"),
    "a PNG with 100 MB of text": (lambda: _png(8, 8, TEXT_BOMB, pixels=ROW), None),
    "a PNG with 100 MB of international text": (lambda: _png(8, 8, ITXT_BOMB, pixels=ROW), None),
    "a PNG with a profile of 100 MB": (lambda: _png(8, 8, PROFILE_BOMB, pixels=ROW), None),
    "a PNG with more pixels than it says": (lambda: _png(8, 8, pixels=_zeros(500 * MIB)), None),
    "a GIF of many frames": (_animated_gif, None),
}


@pytest.mark.parametrize("name", BOMBS)
def test_image_bomb_uses_bounded_memory(open_daemon: DaemonProcess, name: str) -> None:
    make, code = BOMBS[name]
    data = make()
    assert len(data) < 4 * MIB

    with measure_peak(open_daemon) as peak:
        reply = request(open_daemon, "/classify", "POST", {"Content-Type": "image/png"}, data)

    assert peak.resident < 100 * MIB
    if code is not None:
        assert (reply.status, reply.code) == (422, code)
    else:
        assert reply.status in (200, 422)


def test_largest_allowed_photo_uses_bounded_memory(open_daemon: DaemonProcess) -> None:
    with measure_peak(open_daemon) as peak:
        reply = request(open_daemon, "/classify", "POST", body=_png(9_400, 9_400))

    assert reply.status == 200
    assert peak.resident < GROWTH


def test_bomb_in_inbox_fails_as_too_large(open_daemon: DaemonProcess) -> None:
    put(open_daemon.inbox / "bomb.png", _png(SIDE, SIDE))

    with measure_peak(open_daemon) as peak:
        open_daemon.wait_for_failed("bomb.png", "too_large")
        reply = request(open_daemon, "/?file=bomb.png")

    assert (reply.status, reply.code) == (422, "too_large")
    assert peak.resident < 100 * MIB
