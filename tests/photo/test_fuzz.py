"""Damaged photos: always pixels or a coded error, never anything else."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import DEFAULT_MAX_PIXELS, FORMATS, decode, limit_pixels
from tests.photo import fuzz
from tests.support.photos import photo

CASES = 1500


@pytest.fixture(autouse=True, scope="module")
def _pixel_limit() -> Iterator[None]:
    yield
    limit_pixels(DEFAULT_MAX_PIXELS)


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_damaged_photos_decode_or_fail_with_a_code() -> None:
    report = fuzz.run(0, CASES)

    assert report.faults == []
    assert report.outcomes.total() == CASES
    assert report.outcomes["decoded"] > 0


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xd8")
@example(b"RIFF\xff\xff\xff\xffWEBP")
@example(b"II*\0\x08\0\0\0")
@example(b"MM\0*\xff\xff\xff\xff")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_answered_with_a_code(data: bytes) -> None:
    with pytest.raises(PhotoError) as caught:
        decode(data, (32, 32))

    assert caught.value.code in set(PhotoCode)


@pytest.mark.parametrize("kind", FORMATS)
def test_cut_photo_is_never_called_corrupt(kind: str) -> None:
    data = photo(3, kind, size=(60, 40))
    for end in range(1, len(data), max(1, len(data) // 60)):
        code = cut(data, end)
        assert code in (None, PhotoCode.TRUNCATED), f"cut to {end} of {len(data)} bytes"


def cut(data: bytes, end: int) -> PhotoCode | None:
    """Decode the beginning of a photo; return the code of its error, if there is one."""
    try:
        decoded = decode(data[:end], (32, 32))
    except PhotoError as error:
        return error.code
    # what is missing held no pixels
    assert end > len(data) * 0.9 or not decoded.complete
    return None
