"""Ctrl-C ends a command also where a library has swallowed it."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dogid.errors import DogidError
from dogid.system.atomic_files import write_atomically
from dogid_convert.support import interruption
from dogid_convert.support.explain_errors import explained
from dogid_convert.support.progress import untracked
from tests.support.ctrl_c import as_in_a_terminal, press, swallowed_press


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    with as_in_a_terminal():
        yield


@pytest.fixture
def told() -> Iterator[list[type[BaseException]]]:
    """What Python tells of exceptions that it cannot raise."""
    kinds: list[type[BaseException]] = []
    earlier, sys.unraisablehook = sys.unraisablehook, lambda lost: kinds.append(lost.exc_type)
    yield kinds
    sys.unraisablehook = earlier


def test_it_is_raised_at_once_where_nobody_swallows_it() -> None:
    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        press()


def test_a_swallowed_one_is_raised_at_the_next_check() -> None:
    def work() -> None:
        swallowed_press()
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()


def test_a_swallowed_one_ends_a_loop_over_photos() -> None:
    done = []

    def work() -> None:
        for number in untracked(range(9), "photos"):
            done.append(number)
            swallowed_press()

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
    with interruption.heeded(), pytest.raises(DogidError, match="callback failed"), explained("a graph", "run it"):
        raise RuntimeError("callback failed")


def test_one_that_came_in_a_callback_from_c_shows_no_traceback(told: list[type[BaseException]]) -> None:
    def work() -> None:
        ctypes.CFUNCTYPE(None)(press)()
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()

    assert told == []


def test_what_is_lost_otherwise_is_told_as_before(told: list[type[BaseException]]) -> None:
    with interruption.heeded():
        ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()

    assert told == [ZeroDivisionError]


def test_a_step_that_is_held_is_done_whole() -> None:
    done = []

    def work() -> None:
        with interruption.held():
            press()
            done.append("held")
        interruption.check()
        done.append("after")

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()

    assert done == ["held"]


def test_one_that_waits_is_not_lost_where_the_held_step_fails_and_is_done_without() -> None:
    def work() -> None:
        with contextlib.suppress(OSError), interruption.held():
            press()
            raise OSError("disk full")
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        work()


def test_from_the_last_step_on_it_changes_nothing_and_the_next_command_heeds_it_again() -> None:
    with interruption.heeded():
        interruption.hold_to_the_end()
        press()

    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        press()


def test_an_error_in_the_last_step_is_told() -> None:
    def work() -> None:
        interruption.hold_to_the_end()
        press()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), interruption.heeded():
        work()


def test_a_model_whose_writing_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: press())
    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        write_atomically(tmp_path / "m.tflite", b"model")

    assert not list(tmp_path.iterdir())


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


def test_other_threads_are_left_alone() -> None:
    def work() -> str:
        with interruption.heeded():
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == "done"
