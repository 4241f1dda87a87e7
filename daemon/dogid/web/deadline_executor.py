"""Running tasks that may hang (disks, decoders) in separate threads: the server's threads wait until a deadline."""

import contextlib
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, TypeVar

log = logging.getLogger(__name__)

MAX_HUNG = 3
"""Abandoned threads of one executor. More would survive more hangs in a row, and keep more memory and open files."""

T = TypeVar("T")


class BusyError(Exception):
    """No thread was free in time, or too many hang; a later try may succeed."""


class HungError(BusyError):
    """The task did not end within its deadline and was abandoned."""


class DeadlineExecutor:
    """Runs tasks in a few threads of its own, and abandons a task that outlasts its deadline.

    A thread whose task hangs is replaced, and ends with the task or with the process. Idle threads are used again, as
    one that has decoded a photo keeps some MB for the next. ThreadPoolExecutor would not do: the process waits for its
    threads at the end, and nothing replaces those that hang.
    """

    def __init__(
        self,
        name: str,
        *,
        max_wait: float,
        threads: int = 1,
        max_waiting: int = sys.maxsize,
        max_hung: int = MAX_HUNG,
    ) -> None:
        """Set up without starting a thread.

        name: of the threads, and in the log.
        max_wait: seconds that a caller waits for a free thread.
        threads: tasks that run at the same time.
        max_waiting: callers that may wait at the same time; further ones are refused at once.
        max_hung: abandoned threads until all tasks are refused; they are accepted again when one of these ends.
        """
        self._name = name
        self._max_wait = max_wait
        self._max_hung = max_hung
        self._callers = threading.Semaphore(threads + max_waiting)
        self._slots = threading.Semaphore(threads)
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        self._hung: list[_Thread] = []

    def run(self, task: Callable[[], T], timeout: float) -> T:
        """Run one task in a slot of its own; see `slot` and `Slot.run`."""
        with self.slot() as slot:
            return slot.run(task, timeout)

    @contextlib.contextmanager
    def slot(self) -> Iterator["Slot"]:
        """Hold one of the threads while the context lasts. Raise BusyError where none becomes free in time."""
        if not self._callers.acquire(blocking=False):
            raise BusyError
        try:
            if not self._slots.acquire(timeout=self._max_wait):
                raise BusyError
            try:
                yield Slot(self._run)
            finally:
                self._slots.release()
        finally:
            self._callers.release()

    def _run(self, task: Callable[[], T], timeout: float) -> T:
        thread = self._idle_thread()
        done = thread.submit(task)
        # not result(timeout): a network disk may raise TimeoutError, too
        if not wait((done,), timeout).done:
            self._abandon(thread, timeout)
            raise HungError
        with self._lock:
            self._idle.append(thread)
        result: T = done.result()
        return result

    def _idle_thread(self) -> "_Thread":
        with self._lock:
            self._hung = [thread for thread in self._hung if thread.is_alive]
            if len(self._hung) >= self._max_hung:
                raise BusyError
            return self._idle.pop() if self._idle else _Thread(self._name)

    def _abandon(self, thread: "_Thread", timeout: float) -> None:
        log.error("%s: no end after %g s, a disk or a decoder hangs; another thread takes over", self._name, timeout)
        thread.close()
        with self._lock:
            self._hung.append(thread)


class Slot:
    """The right to run tasks in one thread of an executor, one after the other."""

    def __init__(self, run: Callable[[Callable[[], Any], float], Any]) -> None:
        self._run = run

    def run(self, task: Callable[[], T], timeout: float) -> T:
        """Return what a task returns, or raise what it raises.

        Raise HungError where it does not end within timeout seconds, BusyError where too many threads hang already.
        """
        result: T = self._run(task, timeout)
        return result


class _Thread:
    """A daemon thread that runs the tasks submitted to it, in their order."""

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, task: Callable[[], Any]) -> "Future[Any]":
        done: Future[Any] = Future()
        self._tasks.put((task, done))
        return done

    def close(self) -> None:
        """Have the thread end after its present task."""
        self._tasks.put(None)

    def _run(self) -> None:
        while (submitted := self._tasks.get()) is not None:
            task, done = submitted
            try:
                done.set_result(task())
            except BaseException as error:  # whatever it is, the caller gets it
                done.set_exception(error)
            del submitted, task, done  # a photo's pixels are not kept until the next task
