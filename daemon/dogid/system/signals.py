"""SIGTERM, SIGINT and SIGHUP as requests to stop or to reload. A stop takes precedence over all work."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class SignalRequest(Enum):
    """What a signal requests."""

    STOP = "stop"
    RELOAD = "reload"


_SIGNALS: dict[int, SignalRequest] = {
    signal.SIGTERM: SignalRequest.STOP,
    signal.SIGINT: SignalRequest.STOP,
    signal.SIGHUP: SignalRequest.RELOAD,
}
_DONE = 0  # no signal has this number


class StoppedError(Exception):
    """A stop was requested before the work was done."""


class SignalRequests:
    """A queue of the signals received. Create and use it in the main thread only.

    The interpreter writes their numbers to a pipe, in whichever thread the kernel interrupts. A handler in Python would
    not do: it runs in the main thread, which is not woken by a signal that another thread received.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)

    def wait(self) -> SignalRequest:
        """Wait for the next request."""
        while True:
            request = self._read_pipe()
            if request is not None:
                return request

    def run_interruptibly(self, thread_name: str, work: Callable[[], T]) -> T:
        """Run work in a thread, and return its result or raise its exception.

        Raise StoppedError as soon as a stop is requested; the thread goes on by itself, since neither SQLite nor the
        interpreter can be interrupted. A reload requested meanwhile is queued.
        """
        done: Future[T] = Future()
        done.add_done_callback(lambda _: self._put(_DONE))
        threading.Thread(target=_run_into, args=(done, work), name=thread_name, daemon=True).start()
        reload_requested = False
        while not done.done():
            request = self._read_pipe()
            if request is SignalRequest.STOP:
                raise StoppedError
            reload_requested = reload_requested or request is SignalRequest.RELOAD
        if reload_requested:
            self._put(signal.SIGHUP)
        return done.result()

    def _read_pipe(self) -> SignalRequest | None:
        """Wait for the next request; return None where work is done, or another signal came."""
        (number,) = os.read(self._reading, 1)
        return _SIGNALS.get(number)

    def _put(self, number: int) -> None:
        os.write(self._writing, bytes([number]))


def _run_into(done: "Future[T]", work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
