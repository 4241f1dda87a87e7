"""In the process of a learning run: its end when the daemon that has started it ends, however that ends."""

import os
import signal
import sys
import threading
from types import FrameType

from dogid.errors import DogidError

WITH_DAEMON = "--with-daemon"
"""The flag of a run that ends when its standard input does."""
_MESSAGE = "the daemon that had begun the learning run was stopped, and the run with it; begin it again"


def end_with_daemon() -> None:
    """Raise DogidError in the main thread, which calls this, as soon as standard input ends, or at SIGTERM.

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
    raise DogidError(_MESSAGE)
