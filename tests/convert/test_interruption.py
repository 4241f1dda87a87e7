"""Ctrl-C ends a command also where a library has swallowed it."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from dogid.errors import DogidError
from dogid_convert import interruption
from dogid_convert.failures import explained
from dogid_convert.progress import untracked


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    """As in a terminal, also where these tests were started in the background."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def swallow_one() -> None:
    """What some libraries do to whatever comes up."""
    with contextlib.suppress(BaseException):
        press()


def test_it_is_raised_at_once_where_nobody_swallows_it() -> None:
    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        press()


def test_a_swallowed_one_is_raised_at_the_next_check() -> None:
    def work() -> None:
        swallow_one()
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()


def test_a_swallowed_one_ends_a_loop_over_photos() -> None:
    done = []

    def work() -> None:
        for number in untracked(range(9), "photos"):
            done.append(number)
            swallow_one()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()

    assert done == [0]


def test_one_that_a_library_made_another_error_of_is_no_error() -> None:
    def library() -> None:
        try:
            press()
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("callback failed") from interrupt

    with pytest.raises(KeyboardInterrupt), interruption.heeded(), explained("a graph", "run it"):
        library()
    with pytest.raises(DogidError, match="callback failed"), explained("a graph", "run it"):
        raise RuntimeError("callback failed")


def test_one_that_came_in_a_callback_from_c_shows_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        ctypes.CFUNCTYPE(None)(press)()
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()

    assert capfd.readouterr().err == ""


def test_what_is_lost_otherwise_is_told_as_before() -> None:
    told: list[sys.UnraisableHookArgs] = []
    earlier, sys.unraisablehook = sys.unraisablehook, told.append
    try:
        with interruption.heeded():
            ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()
    finally:
        sys.unraisablehook = earlier

    assert [lost.exc_type for lost in told] == [ZeroDivisionError]


def test_an_ended_command_leaves_nothing_behind() -> None:
    with contextlib.suppress(KeyboardInterrupt), interruption.heeded():
        press()

    interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_shell_that_ignores_it_for_its_background_jobs_is_obeyed() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruption.heeded():
        press()
        interruption.check()

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
