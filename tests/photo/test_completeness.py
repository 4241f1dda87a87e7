"""Does the end of a photo look written?"""

import pytest

from dogid.photo.completeness import Completeness, check_completeness, is_cut_off
from tests.support.photos import photo

WITH_END_MARK = ["JPEG", "PNG", "GIF"]
WITH_LENGTH = ["WEBP", "BMP"]


@pytest.mark.parametrize("kind", [*WITH_END_MARK, *WITH_LENGTH, "TIFF"])
def test_a_whole_photo_is_whole(kind: str) -> None:
    assert check_completeness(photo(1, kind)) is Completeness.COMPLETE
    assert not is_cut_off(photo(1, kind))


@pytest.mark.parametrize("kind", [*WITH_END_MARK, *WITH_LENGTH])
def test_cut_off_photo_is_recognised(kind: str) -> None:
    assert is_cut_off(photo(1, kind)[:-20])


@pytest.mark.parametrize("kind", WITH_END_MARK)
def test_zeros_instead_of_end_mark_are_unwritten(kind: str) -> None:
    data = photo(1, kind)

    assert check_completeness(data[:-100] + bytes(100)) is Completeness.UNWRITTEN
    assert check_completeness(data + bytes(5000)) is Completeness.COMPLETE  # some cameras round their files up


@pytest.mark.parametrize("kind", [*WITH_LENGTH, "TIFF"])
def test_zeros_at_end_without_end_mark_are_doubtful(kind: str) -> None:
    assert check_completeness(photo(1, kind)[:-100] + bytes(100)) is Completeness.DOUBTFUL


@pytest.mark.parametrize(
    "data", [b"\xff", b"\xff\xd8", b"\x89PN", b"GIF8", b"RIF", b"B", b"II*", b"II*\0\x08\0\0\0", bytes(900)]
)
def test_photo_signatures_are_no_foreign_formats(data: bytes) -> None:
    assert is_cut_off(data)


def test_what_is_no_photo_has_no_end() -> None:
    assert is_cut_off(b"hello world, this is a text") is None
