"""A log line stays one line, whatever names are in it."""

import io
import logging

import pytest

from dogid.commands.output import print_message
from dogid.system.journal import OneLineFormatter

NAME = "\x1b[41mdir\nFORGED 2026 ERROR x"


def test_control_characters_are_escaped_in_the_log() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLineFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise FileNotFoundError(2, "\x1b[0m", "a.jpg")
    except FileNotFoundError:
        log.warning("%s is closed", NAME, exc_info=True)

    first, *traceback = stream.getvalue().splitlines()
    assert first == r"WARNING \x1b[41mdir\nFORGED 2026 ERROR x is closed"
    assert traceback[0].startswith("Traceback")
    assert "\x1b" not in stream.getvalue()


def test_control_characters_are_escaped_in_messages(capsys: pytest.CaptureFixture[str]) -> None:
    print_message(NAME)

    assert capsys.readouterr().err == r"dogid: \x1b[41mdir\nFORGED 2026 ERROR x" + "\n"
