"""Work that a disk or a decoder may hang in, done by a thread of its own and not by one of the server's."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

log = logging.getLogger(__name__)

_MOST_LOST = 3  # threads that hang; then no more work is taken until one comes back

T = TypeVar("T")


class BusyError(Exception):
    """Others are being served, or the disk does not answer; ask again soon."""


class HungError(BusyError):
    """The errand itself hangs, and was given up."""


class DeadlineThread:
    """Runs one errand at a time, always in the same thread: each that decodes keeps some MB for the next time.

    Where an errand hangs, another thread takes the place; the one that hangs ends with its errand, or with the process.
    """

    def __init__(self, name: str, patience_seconds: float, most_seconds: Callable[[], float]) -> None:
        self._name = name
        self._patience = patience_seconds
        self._most_seconds = most_seconds
        self._turn = threading.Lock()
        self._runner: _Runner | None = None
        self._lost: list[_Runner] = []

    def run(self, errand: Callable[[], T]) -> T:
        """Return what an errand returns, or raise what it raises.

        Raise BusyError where it has to wait too long for its turn, HungError where it takes too long itself.
        """
        if not self._turn.acquire(timeout=self._patience):
            raise BusyError
        try:
            runner = self._present()
            done = runner.take(errand)
            # not result(timeout): a disk of the network can raise TimeoutError, too
            if not wait((done,), self._most_seconds()).done:
                self._give_up(runner)
                raise HungError
            result: T = done.result()
            return result
        finally:
            self._turn.release()

    def _present(self) -> "_Runner":
        self._lost = [runner for runner in self._lost if runner.is_alive]
        if len(self._lost) >= _MOST_LOST:
            raise BusyError
        self._runner = self._runner or _Runner(self._name)
        return self._runner

    def _give_up(self, runner: "_Runner") -> None:
        log.error("%s hang: the inbox does not answer, or a decoder; another thread takes over", self._name)
        runner.close()
        self._lost.append(runner)
        self._runner = None


class _Runner:
    """A thread that does what it is given. No executor of the library: the process would wait for it at its end."""

    def __init__(self, name: str) -> None:
        self._errands: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def take(self, errand: Callable[[], Any]) -> "Future[Any]":
        done: Future[Any] = Future()
        self._errands.put((errand, done))
        return done

    def close(self) -> None:
        """Have the thread end with its errand."""
        self._errands.put(None)

    def _run(self) -> None:
        while (given := self._errands.get()) is not None:
            errand, done = given
            try:
                done.set_result(errand())
            except BaseException as error:  # whatever it is, whoever waits is told
                done.set_exception(error)
            del given, errand, done  # the photo's pixels need not wait for the next errand
