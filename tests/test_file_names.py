"""File names as bytes and as text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dogid.file_names import one_line, possible_names, shown_name


@given(st.binary(min_size=1, max_size=255))
@example(b"%41\xe9")
@example(b"%41")
def test_shown_name_leads_back_to_the_file(raw: bytes) -> None:
    shown = shown_name(raw)

    assert shown.encode("utf-8")
    assert raw in possible_names(shown)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"a.jpg", "a.jpg"), (b"caf\xe9.jpg", "caf%E9.jpg"), (b"100%.jpg", "100%.jpg"), ("狗\n".encode(), "狗\n")],
)
def test_only_bytes_that_are_not_utf8_are_encoded(raw: bytes, shown: str) -> None:
    assert shown_name(raw) == shown


@given(st.text())
def test_one_line_has_no_line_breaks_and_control_characters(text: str) -> None:
    assert one_line(text).isprintable()
