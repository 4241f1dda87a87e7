"""Photos made to harm: the daemon rejects them with a code and goes on."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import MakeDaemon
from tests.photo.hostile_photos import HOSTILE_PHOTOS
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG whose header has this size, with these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def assert_still_works(daemon: DaemonProcess) -> None:
    """Check that the same process classifies a photo afterwards."""
    later = f"later-{len(list(daemon.inbox.iterdir()))}.jpg"
    put(daemon.inbox / later, photo(99))
    daemon.wait_for_classified(later, photo(99))
    assert daemon.running


def test_decompression_bomb_is_rejected_before_decoding(shared_daemon: DaemonProcess) -> None:
    rows = zlib.compress(bytes(2501 * 20000), 9)
    put(shared_daemon.inbox / "bomb.png", png(20000, 20000, chunk(b"IDAT", rows)))

    shared_daemon.wait_for_failed("bomb.png", "too_large")
    assert_still_works(shared_daemon)


def test_photo_with_maximum_dimensions_is_rejected(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / "huge.png", png(2**31 - 1, 2**31 - 1, chunk(b"IDAT", zlib.compress(b"\0"))))
    put(shared_daemon.inbox / "huge.gif", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6) + b";")

    shared_daemon.wait_for_failed("huge.png", "too_large")
    shared_daemon.wait_for_status("huge.gif", "failed")
    assert_still_works(shared_daemon)


def test_pixel_limit_is_inclusive(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon("--max-pixels", "90000").start()
    put(inbox / "over.jpg", photo(1, size=(301, 300)))
    put(inbox / "at.jpg", photo(1, size=(300, 300)))

    daemon.wait_for_failed("over.jpg", "too_large")
    daemon.wait_for_classified("at.jpg", photo(1, size=(300, 300)))


def test_file_over_the_byte_limit_is_not_read(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon("--max-bytes", "1000000").start()
    with (inbox / "sparse.jpg").open("wb") as file:
        file.truncate(1 << 40)

    daemon.wait_for_failed("sparse.jpg", "too_large")
    assert_still_works(daemon)


def test_text_chunks_that_inflate_hugely_do_no_harm(shared_daemon: DaemonProcess) -> None:
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    put(shared_daemon.inbox / "text.png", png(10, 10, text, chunk(b"IDAT", zlib.compress(bytes(30)))))
    result = shared_daemon.wait_for_status("text.png", "failed", "classified")

    assert result["status"] == "classified" or result["error"]["code"] == "corrupt"
    assert_still_works(shared_daemon)


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "PCX", "SGI", "IM", "MSP", "XBM"])
def test_unlisted_formats_are_not_decoded(shared_daemon: DaemonProcess, kind: str) -> None:
    stream = io.BytesIO()
    Image.new("1" if kind in ("MSP", "XBM") else "RGB", (32, 32)).save(stream, kind)
    put(shared_daemon.inbox / f"{kind}.jpg", stream.getvalue())

    shared_daemon.wait_for_failed(f"{kind}.jpg", "unsupported")


def test_photo_with_damaged_exif_is_classified(shared_daemon: DaemonProcess) -> None:
    good = photo(2)
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff\xff\xff\xff\xff" * 20
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    put(shared_daemon.inbox / "exif.jpg", good[:2] + segment + good[2:])

    result = shared_daemon.wait_for_status("exif.jpg", "classified", "failed")
    assert result["status"] == "classified"


def test_endless_animation_is_one_photo(shared_daemon: DaemonProcess) -> None:
    frames = [Image.new("RGB", (64, 64), (number, 0, 0)) for number in range(200)]
    for kind in ("GIF", "WEBP", "PNG"):
        stream = io.BytesIO()
        frames[0].save(stream, kind, save_all=True, append_images=frames[1:], loop=0)
        put(shared_daemon.inbox / f"frames.{kind.lower()}", stream.getvalue())

    for kind in ("gif", "webp", "png"):
        shared_daemon.wait_for_status(f"frames.{kind}", "classified")


@pytest.mark.parametrize("name", HOSTILE_PHOTOS)
def test_long_structures_cost_no_time(shared_daemon: DaemonProcess, name: str) -> None:
    put(shared_daemon.inbox / name, HOSTILE_PHOTOS[name]())
    result = shared_daemon.wait_for_answer(name)

    assert result["status"] == "classified" or result["error"]["code"] != "too_large"  # which a timeout has, too
    assert_still_works(shared_daemon)
