"""Where the parts of a JPEG are found, in headers written byte by byte."""

import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.extent.jpeg import find_end, lacks_scans, read_header

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
PIXELS = bytes(range(1, 100))
BASELINE, PROGRESSIVE = 0xC0, 0xC2


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


def frame(marker: int = BASELINE, components: int = 3, precision: int = 8) -> bytes:
    """A frame of 516 x 260 pixels."""
    table = b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    return segment(marker, bytes([precision]) + b"\x01\x04\x02\x04" + bytes([components]) + table)


def scan(*components: int, first: int = 0, last: int = 63, bits: int = 0) -> bytes:
    """A scan of components; first and last are its coefficients, bits what later scans refine."""
    chosen = b"".join(bytes([number, 0]) for number in components)
    return segment(0xDA, bytes([len(components)]) + chosen + bytes([first, last, bits])) + PIXELS


def test_frame_is_read() -> None:
    data = SOI + frame(precision=12) + scan(1, 2, 3) + EOI
    header = read_header(data)

    assert (header.process, header.precision, header.components, header.size) == (BASELINE, 12, 3, (516, 260))
    assert [part.marker for part in header.segments] == [BASELINE, 0xDA]
    assert [(part.at, part.end) for part in header.segments] == [(2, 21), (21, header.scan)]
    assert data[header.scan :] == PIXELS + EOI
    assert header.is_one_scan


def test_scan_without_frame_has_no_size() -> None:
    header = read_header(SOI + scan(1) + EOI)

    assert (header.process, header.precision, header.components, header.size) == (0, 0, 0, (0, 0))


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\xff\xff", b"junk", b"j", b"\xff\x01", b"\xff\0", b"\xff\xd3"])
def test_filling_before_a_segment_is_skipped(filling: bytes) -> None:
    data = SOI + filling + frame() + filling + scan(1, 2, 3) + EOI
    header = read_header(data)

    assert [part.marker for part in header.segments] == [BASELINE, 0xDA]
    assert header.size == (516, 260)
    assert data[header.scan :] == PIXELS + EOI


@pytest.mark.parametrize("rest", [b"", b"\xff", b"junk", segment(0xFE, b"comment"), segment(0xFE, b"comment")[:-1]])
def test_end_inside_the_header_is_truncated(rest: bytes) -> None:
    with pytest.raises(PhotoError) as caught:
        read_header(SOI + rest)

    assert caught.value.code is PhotoCode.TRUNCATED


@pytest.mark.parametrize(
    ("scans", "missing"),
    [
        (scan(1, 2, 3), False),
        (scan(1) + scan(2) + scan(3), False),
        (scan(1) + scan(2, 3), False),
        (scan(1) + scan(3), True),
        (scan(1), True),
    ],
)
def test_sequential_scans_cover_all_components(scans: bytes, missing: bool) -> None:
    data = SOI + frame() + scans + EOI

    assert lacks_scans(data, read_header(data)) == missing


@pytest.mark.parametrize(
    ("scans", "missing"),
    [
        (scan(1, last=0) + scan(1, first=1), False),
        (scan(1, last=0) + scan(1, first=1, last=62), True),
        (scan(1, last=0) + scan(1, first=2), True),
        (scan(1, last=0) + scan(1, first=1, bits=0x01), True),
        (scan(1, last=0) + scan(1, first=1, bits=0x01) + scan(1, first=1, bits=0x10), False),
        (scan(1, last=0) + segment(0xC4, b"\xff\xda" + bytes(17)) + scan(1, first=1), False),  # a mark inside a table
        (scan(1, last=0) + EOI + scan(1, first=1), True),  # another photo after the end
    ],
)
def test_progressive_scans_cover_all_coefficients(scans: bytes, missing: bool) -> None:
    data = SOI + frame(PROGRESSIVE, 1) + scans + EOI

    assert lacks_scans(data, read_header(data)) == missing


def test_scans_of_four_components_are_read() -> None:
    data = SOI + frame(PROGRESSIVE, 4) + scan(1, 2, 3, 4) + EOI

    assert not lacks_scans(data, read_header(data))


@pytest.mark.parametrize("cut", range(1, 12))
def test_scan_that_is_cut_in_its_header_covers_nothing(cut: int) -> None:
    whole = SOI + frame(PROGRESSIVE, 1) + scan(1, last=0) + scan(1, first=1)
    data = whole[: len(whole) - len(PIXELS) - cut + 1]

    assert lacks_scans(data, read_header(whole)) == (cut > 1)


def test_end_mark_is_found_after_the_last_scan() -> None:
    data = SOI + frame() + scan(1) + segment(0xC4, bytes(300)) + scan(2) + scan(3) + EOI + b"a trailer" + EOI
    header = read_header(data)

    assert find_end(data, header) == (data.index(EOI), True)
    assert find_end(data[: data.index(EOI)], header) == (data.index(EOI), False)


def test_damage_ends_the_last_scan() -> None:
    one, several = SOI + frame() + scan(1, 2, 3), SOI + frame() + scan(1)
    comment = segment(0xFE, bytes(300))

    assert find_end(one + comment + EOI, read_header(one)) == (len(one), False)
    assert find_end(several + b"\xff\xc1" + EOI, read_header(several)) == (len(several), False)
    assert find_end(several + comment[:-1], read_header(several)) == (len(several), False)
    assert find_end(several + comment, read_header(several)) == (len(several + comment), False)
