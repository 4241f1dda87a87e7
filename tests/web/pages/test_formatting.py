"""What the page says is for people, and shows what there is."""

import datetime as dt

import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import decodable_formats, decode
from dogid.web.pages import formatting

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))


@pytest.mark.parametrize("code", PhotoCode)
def test_every_error_code_has_reason_and_fix(code: PhotoCode) -> None:
    explained = formatting.explain_error(code)
    assert explained != formatting.explain_error("unheard of")
    assert explained.cause.endswith(".")
    assert explained.remedy


def test_unsupported_photo_is_explained_with_all_formats() -> None:
    remedy = formatting.explain_error(PhotoCode.UNSUPPORTED).remedy
    assert decodable_formats() in remedy
    assert "AVIF" in remedy


@pytest.mark.parametrize(
    ("data", "cause", "help_"),
    [
        (b"\0\0\0\x18ftypmp42" + bytes(99), "A video (or sound) is not decoded.", "have the camera send snapshots"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL is not decoded.", "Convert it to JPEG first."),
        (b"no photo", "dogid does not decode this kind of file.", "If this is no photo, remove it"),
    ],
)
def test_first_line_of_help_fits_the_reason(data: bytes, cause: str, help_: str) -> None:
    with pytest.raises(PhotoError) as raised:
        decode(data, (8, 8))
    explained = formatting.explain_error(raised.value.code, raised.value.message)
    assert explained.cause == cause
    assert help_ in explained.remedy


def test_too_large_photo_is_explained_by_the_limit_it_exceeds() -> None:
    limits = ("max_bytes", "max_pixels", "decode_timeout")
    for limit in limits:
        remedy = formatting.explain_error(PhotoCode.TOO_LARGE, f"at most so much is read ({limit})").remedy
        assert [named for named in limits if named in remedy] == [limit]


def test_score_is_never_rounded_to_0_or_1() -> None:
    assert [formatting.percentage(score) for score in (0, 0.001, 0.5, 0.987, 0.9951, 0.999999, 1)] == [
        "0 %", "< 1 %", "50 %", "99 %", "> 99 %", "> 99 %", "100 %",
    ]  # fmt: skip


def test_times_are_in_local_time_zone() -> None:
    assert formatting.short_time("2026-11-23T10:02:03.456Z", NOW) == "11:02:03"
    assert formatting.short_time("2026-11-22T23:30:00.000Z", NOW) == "00:30:00"
    assert formatting.short_time("2026-11-21T10:00:00.000Z", NOW) == "21 Nov, 11:00"
    assert formatting.short_time("2025-12-31T10:00:00.000Z", NOW) == "31 Dec 2025"
    assert formatting.full_time("2026-11-21T23:00:00.000Z", NOW) == "2026-11-22 00:00:00"


def test_sizes_have_two_or_three_digits() -> None:
    counts = (0, 999, 1000, 4096, 52_300, 999_499_999, 31_900_000_000, 8 * 10**15)
    texts = ["0 bytes", "999 bytes", "1.0 kB", "4.1 kB", "52 kB", "999 MB", "32 GB", "8000 TB"]
    assert [formatting.byte_count(count) for count in counts] == texts


def test_direction_marks_in_names_are_visible() -> None:
    assert formatting.visible("a\u202egpj.exe") == "a\\u202egpj.exe"
    assert formatting.visible("שלום é 犬\n") == "שלום é 犬\\n"
