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
from dogid_convert.support.explain_errors import user_errors
from dogid_convert.support.progress import untracked
from tests.support.ctrl_c import as_in_a_terminal, press, swallowed_press


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    with as_in_a_terminal():
        yield


@pytest.fixture
def unraisable() -> Iterator[list[type[BaseException]]]:
    """The exceptions that Python could not raise."""
    kinds: list[type[BaseException]] = []
    earlier, sys.unraisablehook = sys.unraisablehook, lambda lost: kinds.append(lost.exc_type)
    yield kinds
    sys.unraisablehook = earlier


def test_interrupt_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        press()


def test_swallowed_interrupt_is_raised_at_next_check() -> None:
    def work() -> None:
        swallowed_press()
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        work()


def test_swallowed_interrupt_ends_loop_over_photos() -> None:
    done = []

    def work() -> None:
        for number in untracked(range(9), "photos"):
            done.append(number)
            swallowed_press()

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        work()

    assert done == [0]


def test_interrupt_turned_into_other_error_is_restored() -> None:
    def library() -> None:
        try:
            press()
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("callback failed") from interrupt

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked(), user_errors("a graph", "run it"):
        library()
    with (
        interruption.sigint_tracked(),
        pytest.raises(DogidError, match="callback failed"),
        user_errors("a graph", "run it"),
    ):
        raise RuntimeError("callback failed")


def test_interrupt_printed_by_c_code_shows_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        ctypes.pythonapi.PyRun_SimpleString(b"import os, signal; os.kill(os.getpid(), signal.SIGINT)")
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        work()

    assert capfd.readouterr().err == ""


def test_interrupt_in_c_callback_shows_no_traceback(unraisable: list[type[BaseException]]) -> None:
    def work() -> None:
        ctypes.CFUNCTYPE(None)(press)()
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        work()

    assert unraisable == []


def test_other_unraisable_errors_are_still_reported(unraisable: list[type[BaseException]]) -> None:
    with interruption.sigint_tracked():
        ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()

    assert unraisable == [ZeroDivisionError]


def test_deferred_step_is_completed() -> None:
    done = []

    def work() -> None:
        with interruption.sigint_deferred():
            press()
            done.append("held")
        interruption.check()
        done.append("after")

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        work()

    assert done == ["held"]


def test_deferred_interrupt_survives_failed_step() -> None:
    def work() -> None:
        with contextlib.suppress(OSError), interruption.sigint_deferred():
            press()
            raise OSError("disk full")
        interruption.check()

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        work()


def test_deferred_interrupt_does_not_end_next_command() -> None:
    with interruption.sigint_tracked():
        interruption.defer_sigint_to_exit()
        press()

    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        press()


def test_error_in_last_step_is_reported() -> None:
    def work() -> None:
        interruption.defer_sigint_to_exit()
        press()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), interruption.sigint_tracked():
        work()


def test_interrupted_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: press())
    with pytest.raises(KeyboardInterrupt), interruption.sigint_tracked():
        write_atomically(tmp_path / "m.tflite", b"model")

    assert not list(tmp_path.iterdir())


def test_handlers_are_restored_after_the_command() -> None:
    with contextlib.suppress(KeyboardInterrupt), interruption.sigint_tracked():
        press()

    interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ignored_sigint_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruption.sigint_tracked():
        press()
        interruption.check()

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_are_left_alone() -> None:
    def work() -> str:
        with interruption.sigint_tracked():
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == "done"
