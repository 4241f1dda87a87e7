"""What signals ask of the daemon: to stop, or to reload. A stop wins over whatever is being done."""

import queue
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


_SIGNALS = {signal.SIGTERM: Request.STOP, signal.SIGINT: Request.STOP, signal.SIGHUP: Request.RELOAD}


class StoppedError(Exception):
    """A stop was asked for before something was done."""


class Requests:
    """The signals that have come, in their order; to be made and asked in the main thread."""

    def __init__(self) -> None:
        # a simple queue, since a signal may come while another is being put
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        for number, request in _SIGNALS.items():
            signal.signal(number, lambda *_, asked=request: self._queue.put(asked))

    def next(self) -> Request:
        """Wait for the next request."""
        while True:
            request = self._queue.get()
            if request is not None:
                return request

    def meanwhile(self, name: str, work: Callable[[], T]) -> T:
        """Do something in a thread of its own, and return or raise what comes of it.

        Raise StoppedError at once where a stop is asked for: the thread is then left to itself, since neither a
        database nor an interpreter can be interrupted. A reload that is asked for meanwhile comes after.
        """
        done: Future[T] = Future()
        done.add_done_callback(lambda _: self._queue.put(None))
        threading.Thread(target=_fill, args=(done, work), name=name, daemon=True).start()
        later = False
        while not done.done():
            request = self._queue.get()
            if request is Request.STOP:
                raise StoppedError
            later = later or request is Request.RELOAD
        if later:
            self._queue.put(Request.RELOAD)
        return done.result()


def _fill(done: "Future[T]", work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
