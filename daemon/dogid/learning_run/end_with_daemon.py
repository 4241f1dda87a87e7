"""In the process of a learning run: its end when the daemon that has started it ends, however that ends."""

import os
import signal
import sys
import threading
from types import FrameType

WITH_DAEMON = "--with-daemon"
"""The flag of a run that ends when its standard input does."""
_MESSAGE = "the daemon that had begun the learning run was stopped, and the run with it; begin it again"


class DaemonEndedError(BaseException):
    """The daemon that a run belongs to ends; no `except` for errors of the run's own is meant to catch it."""

    def __init__(self) -> None:
        super().__init__(_MESSAGE)


_has_ended = threading.Event()


def end_with_daemon() -> None:
    """Raise DaemonEndedError in the main thread, which calls this, as soon as standard input ends, or at SIGTERM.

    The daemon holds the other end of standard input; the kernel closes it also where the daemon is killed.
    """
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_wait_for_end, name="end-with-daemon", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the failure is being noted
    _has_ended.set()
    raise DaemonEndedError


def check_daemon() -> None:
    """Raise DaemonEndedError where it was raised in code whose errors Python only prints, as a `__del__`."""
    if _has_ended.is_set():
        raise DaemonEndedError
