"""Names between bytes and text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dogid.file_names import one_line, possible_names, shown_name


@given(st.binary(min_size=1, max_size=255))
@example(b"%41\xe9")
@example(b"%41")
def test_a_name_that_is_shown_leads_back_to_the_file(raw: bytes) -> None:
    shown = shown_name(raw)

    assert shown.encode("utf-8")
    assert raw in possible_names(shown)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"a.jpg", "a.jpg"), (b"caf\xe9.jpg", "caf%E9.jpg"), (b"100%.jpg", "100%.jpg"), ("狗\n".encode(), "狗\n")],
)
def test_names_are_shown_as_they_are_but_for_bytes_that_are_no_text(raw: bytes, shown: str) -> None:
    assert shown_name(raw) == shown


@given(st.text())
def test_a_line_of_the_log_is_one_line_without_control_characters(text: str) -> None:
    assert one_line(text).isprintable()
