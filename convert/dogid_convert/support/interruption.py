"""Handling Ctrl-C so that it is not lost and leaves nothing half done.

Python raises KeyboardInterrupt wherever the program happens to be. Inside of TensorFlow, or of a callback from C, that
can be a place where every exception is swallowed, or made another error: the training would go on for hours as if
nothing had been pressed, or report an error that did not happen.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType


class _Sigint:
    """State since the command began; signals and their handlers belong to the whole process, and so does this."""

    received = False
    deferred = False


@contextlib.contextmanager
def sigint_tracked() -> Iterator[None]:
    """Remember a Ctrl-C meanwhile, so that `check` can raise it once more where a library swallowed it.

    An error that comes after it is taken for its consequence. Where SIGINT is handled otherwise (ignored, as a shell
    sets it for jobs in the background), and in other threads than the main one, all stays as it is.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _Sigint.received = _Sigint.deferred = False
    signal.signal(signal.SIGINT, _on_sigint)
    hook_of_lost, hook_of_printed = sys.unraisablehook, sys.excepthook

    # no traceback for the user: what a callback lost, or C code printed, is raised again by `check`
    def hide_lost(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            hook_of_lost(lost)

    def hide_printed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            hook_of_printed(kind, error, trace)

    sys.unraisablehook, sys.excepthook = hide_lost, hide_printed
    try:
        yield
    except Exception:
        if not _Sigint.deferred:
            check()
        raise
    finally:
        sys.unraisablehook, sys.excepthook = hook_of_lost, hook_of_printed
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _Sigint.received = _Sigint.deferred = False


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed. For every turn of a long loop, and before results are written."""
    if _Sigint.received:
        raise KeyboardInterrupt


@contextlib.contextmanager
def sigint_deferred() -> Iterator[None]:
    """Defer Ctrl-C to the next `check`, for a short step that must be done whole or not at all."""
    before, _Sigint.deferred = _Sigint.deferred, True
    try:
        yield
    finally:
        _Sigint.deferred = before


def defer_sigint_to_exit() -> None:
    """Defer Ctrl-C until `sigint_tracked` ends: only writing the results is left."""
    _Sigint.deferred = True


def _on_sigint(_signal: int, _frame: FrameType | None) -> None:
    _Sigint.received = True
    if not _Sigint.deferred:
        raise KeyboardInterrupt
