"""Ctrl-C that is not lost, and leaves nothing half done.

Python raises KeyboardInterrupt wherever the program happens to be. Inside of TensorFlow, scikit-learn or a callback
from C that can be a place where every exception is swallowed, or made another error: the training would go on for hours
as if nothing had been pressed, or tell of a fault that there is not.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class _Presses:
    """What came since the command began; signals and their handlers belong to the whole process, and so does this."""

    came = False
    held = False


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Remember a Ctrl-C meanwhile, so that `check` can raise it once more where a library swallowed it.

    An error that comes after it is taken for its consequence. Where SIGINT is handled otherwise (ignored, as a shell
    sets it for jobs in the background), and in other threads than the main one, all stays as it is.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _Presses.came = _Presses.held = False
    signal.signal(signal.SIGINT, _pressed)
    earlier = sys.unraisablehook

    def quiet_about_presses(lost: "sys.UnraisableHookArgs") -> None:
        # no traceback for the user: what got lost in a callback is raised again by `check`
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            earlier(lost)

    sys.unraisablehook = quiet_about_presses
    try:
        yield
    except Exception:
        if not _Presses.held:
            check()
        raise
    finally:
        sys.unraisablehook = earlier
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _Presses.came = _Presses.held = False


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed. For every turn of a long loop, and before results are written."""
    if _Presses.came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Have a Ctrl-C wait for the next `check`: for a short step that is done whole or not at all."""
    before, _Presses.held = _Presses.held, True
    try:
        yield
    finally:
        _Presses.held = before


def hold_to_the_end() -> None:
    """Have a Ctrl-C change nothing until `heeded` ends: all is done but to put the results in their places."""
    _Presses.held = True


def _pressed(_signal: int, _frame: FrameType | None) -> None:
    _Presses.came = True
    if not _Presses.held:
        raise KeyboardInterrupt
