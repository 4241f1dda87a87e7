"""What signals ask of the daemon: to stop, or to reload. A stop wins over whatever is being done."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Request(Enum):
    """What is asked for."""

    STOP = "stop"
    RELOAD = "reload"


_SIGNALS: dict[int, Request] = {
    signal.SIGTERM: Request.STOP,
    signal.SIGINT: Request.STOP,
    signal.SIGHUP: Request.RELOAD,
}
_DONE = 0  # no signal has this number


class StoppedError(Exception):
    """A stop was asked for before something was done."""


class Requests:
    """The signals that have come, in their order; to be made and asked in the main thread.

    Their numbers come through a pipe, written by the interpreter itself in whichever thread the kernel interrupts. A
    handler in Python would not do: it runs in the main thread, which a signal that came to another does not wake.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)

    def next(self) -> Request:
        """Wait for the next request."""
        while True:
            request = self._next_or_done()
            if request is not None:
                return request

    def meanwhile(self, name: str, work: Callable[[], T]) -> T:
        """Do something in a thread of its own, and return or raise what comes of it.

        Raise StoppedError at once where a stop is asked for: the thread is then left to itself, since neither a
        database nor an interpreter can be interrupted. A reload that is asked for meanwhile comes after.
        """
        done: Future[T] = Future()
        done.add_done_callback(lambda _: self._put(_DONE))
        threading.Thread(target=_fill, args=(done, work), name=name, daemon=True).start()
        later = False
        while not done.done():
            request = self._next_or_done()
            if request is Request.STOP:
                raise StoppedError
            later = later or request is Request.RELOAD
        if later:
            self._put(signal.SIGHUP)
        return done.result()

    def _next_or_done(self) -> Request | None:
        """Wait for the next request, or for the end of what is done meanwhile; signals of others count as that."""
        (number,) = os.read(self._reading, 1)
        return _SIGNALS.get(number)

    def _put(self, number: int) -> None:
        os.write(self._writing, bytes([number]))


def _fill(done: "Future[T]", work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
