"""Pressing Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from tests.support.daemon import environment

INTERRUPTED = (130, -signal.SIGINT)
"""Exit statuses, of which a shell shows 130 for both: Python ends by the signal itself where C code saw it first."""


def press() -> None:
    """Send this process what Ctrl-C sends; in its main thread, where Python raises KeyboardInterrupt at once.

    Sent by another thread, it would come up wherever the main one is just then: a lock that it holds may stay locked.
    """
    assert threading.current_thread() is threading.main_thread()
    os.kill(os.getpid(), signal.SIGINT)


def swallowed_press() -> None:
    """Press it where a library swallows whatever comes up."""
    with contextlib.suppress(BaseException):
        press()


@contextlib.contextmanager
def as_in_a_terminal() -> Iterator[None]:
    """Have Python answer it, also where these tests were started in the background: there, shells have it ignored."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def dogid_in_a_terminal(*args: str) -> "subprocess.Popen[str]":
    """Start `dogid ARGS...` so that it answers Ctrl-C, too.

    `env` does that, not a preexec_fn: with one, Python forks this process with all of its libraries' threads, and holds
    the lock of logging meanwhile.
    """
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "dogid", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
