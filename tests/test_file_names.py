"""File names as bytes and as text."""

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dogid.file_names import from_one_line, one_line, possible_names, quote_for_shell, quote_for_unit, shown_name


@settings(deadline=None)  # a busy machine may pause any example
@given(st.binary(min_size=1, max_size=255))
@example(b"%41\xe9")
@example(b"%41")
@example(b"caf%E9.jpg")
@example(b"caf%25E9.jpg")
@example(b"caf%2525E9.jpg")
@example(b"caf\xe9.jpg")
@example(b"%25" * 80)
def test_shown_name_leads_back_to_the_file(raw: bytes) -> None:
    shown = shown_name(raw)

    assert shown.encode("utf-8")
    assert possible_names(shown)[0] == raw


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"a.jpg", "a.jpg"), (b"caf\xe9.jpg", "caf%E9.jpg"), (b"100%.jpg", "100%.jpg"), ("狗\n".encode(), "狗\n")],
)
def test_only_bytes_that_are_not_utf8_are_encoded(raw: bytes, shown: str) -> None:
    assert shown_name(raw) == shown


@settings(deadline=None)  # a busy machine may pause any example
@given(st.text())
def test_one_line_has_no_line_breaks_and_control_characters(text: str) -> None:
    assert one_line(text).isprintable()


@settings(deadline=None)  # a busy machine may pause any example
@given(st.text().filter(lambda text: "\\" not in text))
def test_printed_name_leads_back_to_the_name(text: str) -> None:
    assert from_one_line(one_line(text)) == text


def test_names_that_stand_for_each_other_are_shown_differently() -> None:
    names = [b"caf\xe9.jpg", b"caf%E9.jpg", b"caf%25E9.jpg", b"caf%2525E9.jpg"]

    assert [shown_name(name) for name in names] == ["caf%E9.jpg", "caf%25E9.jpg", "caf%2525E9.jpg", "caf%252525E9.jpg"]


def test_quoted_paths_reach_a_command_as_they_are() -> None:
    paths = [b"/srv/photos", b"/srv/my photos", b"it's $HOME\\", "Größe".encode(), b"caf\xe9f", b"two\nlines", b"*"]
    quoted = [quote_for_shell(path) for path in paths]
    printed = subprocess.run(["bash", "-c", f"printf '%s\\0' {' '.join(quoted)}"], capture_output=True, check=True)

    assert printed.stdout == b"\0".join(paths) + b"\0"
    assert all(text.isprintable() for text in quoted)
    assert quoted[0] == "/srv/photos"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/home/you/photos", "/home/you/photos"),
        ("/home/you/my photos: 100 %", '"/home/you/my photos: 100 %%"'),
        ('/home/you/"a"\\', r'"/home/you/\"a\"\\"'),
    ],
)
def test_paths_in_units_are_quoted(path: str, line: str) -> None:
    assert quote_for_unit(path) == line
