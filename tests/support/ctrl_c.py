"""Pressing Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests.support.daemon import environment

INTERRUPTED = (130, -signal.SIGINT)
"""Exit statuses, of which a shell shows 130 for both: Python ends by the signal itself where C code saw it first."""


def press() -> None:
    """Send this process what Ctrl-C sends."""
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
    """Start `dogid ARGS...` so that it answers Ctrl-C, too."""
    return subprocess.Popen(
        [sys.executable, "-m", "dogid", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
