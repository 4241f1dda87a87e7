"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever the program happens to be. Inside of TensorFlow, scikit-learn or a callback
from C that can be a place where every exception is swallowed: the training would go on for hours as if nothing had been
pressed.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType


class _Presses:
    """What came since the command began; signals and their handlers belong to the whole process, and so does this."""

    came = False


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Remember a Ctrl-C meanwhile, so that `check` can raise it once more where a library swallowed it.

    Where SIGINT is handled otherwise (ignored, as a shell sets it for jobs in the background), all stays as it is.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _Presses.came = False
    signal.signal(signal.SIGINT, _pressed)
    earlier = sys.unraisablehook

    def quiet_about_presses(lost: "sys.UnraisableHookArgs") -> None:
        # no traceback for the user: what got lost in a callback is raised again by `check`
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            earlier(lost)

    sys.unraisablehook = quiet_about_presses
    try:
        yield
    finally:
        sys.unraisablehook = earlier
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _Presses.came = False


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed. For every turn of a long loop, and before results are written."""
    if _Presses.came:
        raise KeyboardInterrupt


def _pressed(_signal: int, _frame: FrameType | None) -> None:
    _Presses.came = True
    raise KeyboardInterrupt
