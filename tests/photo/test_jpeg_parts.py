"""Where the parts of a JPEG are found, in headers written byte by byte."""

import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.extent.jpeg import HOLE, count_samples, find_end, find_hole, lacks_scans, read_header

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
PIXELS = bytes(range(1, 100))
BASELINE, PROGRESSIVE = 0xC0, 0xC2
SAMPLES = 576 * 320
"""Of a component of the frame's size, in whole blocks."""


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


def frame(marker: int = BASELINE, components: int = 3, precision: int = 8, first: int = 0x11) -> bytes:
    """A frame of 516 x 260 pixels; first are the sampling factors of the first component, the others have 1 and 1."""
    table = b"".join(bytes([number, first if number == 1 else 0x11, 0]) for number in range(1, components + 1))
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
        (scan(1, last=0) + segment(0xC4, b"\xff\xda\1\x08\1\1\0\0\x3f\0"), True),  # one with a length, inside a table
        (scan(1, last=0) + EOI + b"more" + scan(1, first=1), True),  # another photo after the end
    ],
)
def test_progressive_scans_cover_all_coefficients(scans: bytes, missing: bool) -> None:
    data = SOI + frame(PROGRESSIVE, 1) + scans + EOI

    assert lacks_scans(data, read_header(data)) == missing


def test_end_mark_inside_the_header_ends_no_scans() -> None:
    data = SOI + segment(0xFE, EOI) + frame(PROGRESSIVE, 1) + segment(0xFE, EOI) + scan(1) + EOI

    assert not lacks_scans(data, read_header(data))


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


@pytest.mark.parametrize(
    ("first", "components", "samples"),
    [(0x11, 1, 1.0), (0x11, 3, 3.0), (0x21, 3, 2.0), (0x12, 3, 2.0), (0x22, 3, 1.5), (0x41, 3, 1.5)],
)
def test_samples_are_counted_by_component(first: int, components: int, samples: float) -> None:
    data = SOI + frame(components=components, first=first) + scan(*range(1, components + 1)) + EOI

    assert count_samples(data, read_header(data)) == SAMPLES * samples


def tables(*first_symbols: tuple[int, int], bits: int = 8) -> bytes:
    """A segment of Huffman tables, each given by its class and number, and the symbol whose code is zeros.

    bits: how long its three codes are.
    """
    counts = bytes(bits - 1) + bytes([3]) + bytes(16 - bits)
    return segment(0xC4, b"".join(bytes([each]) + counts + bytes([symbol, 5, 6]) for each, symbol in first_symbols))


DC, AC = 0x00, 0x10
EMPTY_BLOCK, OTHER = 0x00, 0x01


@pytest.mark.parametrize(
    ("given", "is_hole"),
    [
        (tables((AC, OTHER)), True),
        (tables((AC, EMPTY_BLOCK)), False),
        (tables((DC, EMPTY_BLOCK), (AC, OTHER)), True),  # several in one segment
        (tables((DC, OTHER), (AC, EMPTY_BLOCK)), False),
        (tables((AC, EMPTY_BLOCK)) + tables((AC, OTHER)), True),  # the later one counts
        (tables((AC + 1, OTHER)), False),  # of another component
        (tables((DC, OTHER), (AC, OTHER)), True),
        (tables((DC, EMPTY_BLOCK), (AC, OTHER), bits=1), True),
        (tables((DC, EMPTY_BLOCK), (AC, OTHER), bits=16), True),
    ],
)
def test_zeros_are_a_hole_unless_they_are_empty_blocks(given: bytes, is_hole: bool) -> None:
    data = SOI + given + frame(components=1) + scan(1) + HOLE + PIXELS + EOI

    assert find_hole(data, read_header(data)) == (data.index(HOLE, len(data) - 170) if is_hole else None)


@pytest.mark.parametrize(
    ("scans", "is_hole"),
    [
        (scan(1, 2, 3, last=0) + HOLE * 4, False),  # means that do not change
        (scan(1, first=1) + HOLE * 4, True),
        (scan(1, first=1) + HOLE * 3, False),  # bits of many blocks
        (scan(1, 2, 3, last=0) + scan(1, first=1) + HOLE * 4, True),
        (scan(1, first=1) + scan(1, 2, 3, last=0) + HOLE * 4, False),
    ],
)
def test_zeros_of_progressive_scans_are_a_hole_beyond_means(scans: bytes, is_hole: bool) -> None:
    data = SOI + tables((AC, OTHER)) + frame(PROGRESSIVE) + scans + PIXELS + EOI

    assert (find_hole(data, read_header(data)) is not None) is is_hole


@pytest.mark.parametrize(("first", "second"), [(OTHER, EMPTY_BLOCK), (EMPTY_BLOCK, OTHER)])
def test_zeros_are_a_hole_where_one_component_has_none(first: int, second: int) -> None:
    selectors = b"\1\0\2\x11"  # the second component's table is the second one
    pixels = segment(0xDA, b"\2" + selectors + b"\0\x3f\0") + PIXELS
    data = SOI + tables((AC, first), (AC + 1, second)) + frame(components=2) + pixels + HOLE + PIXELS + EOI

    assert find_hole(data, read_header(data)) is not None


@pytest.mark.parametrize("between", [b"", segment(0xFE, bytes([7]) * 600)])
def test_hole_is_found_in_a_later_scan(between: bytes) -> None:
    data = SOI + tables((AC, OTHER)) + frame(components=2) + scan(1) + between + scan(2) + HOLE

    assert find_hole(data, read_header(data)) == len(data) - len(HOLE)  # there is no end mark, either


def test_no_hole_is_looked_for_behind_a_segment_that_is_cut() -> None:
    data = SOI + tables((AC, EMPTY_BLOCK)) + frame(components=1) + scan(1) + HOLE + PIXELS + b"\xff\xda\0\x40"

    assert find_hole(data, read_header(data)) is None
