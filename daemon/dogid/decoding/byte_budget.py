"""The memory that all photos together may take while they are decoded."""

import contextlib
import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dogid.errors import PhotoCode, PhotoError
from dogid.system.memory import free_memory, memory_limit

# Of photos that need no turn: they are as many as there are threads. Raising this takes more memory beyond the budget;
# lowering it has ordinary photos wait for large ones.
SMALL_BYTES = 12 << 20
_LARGE_SHARE = 4  # more than the fourth part of the budget is decoded one at a time, so that others have room beside it
_FILE_SHARE = 16  # the same for files, which are in memory before it is known what they take
# Of the memory that this process may have. What is left is for the daemon itself, a child's interpreter and what the
# estimates miss. Raising the share risks that the kernel ends the daemon, lowering it refuses photos that would fit.
_SHARE, _OWN_BYTES, _LEAST_BYTES = 0.7, 55_000_000, 32_000_000
_UNLIMITED = 1 << 40  # where the system does not report what there is
# For memory that other programs have: raising this keeps a worker waiting for longer, lowering it tries more often.
_SHORTAGE_SECONDS = 5.0
_POLL_SECONDS = 0.25
# From a grant until its memory is allocated, so that the system no longer reports it as free. Raising this has photos
# wait where memory is short although there is enough; lowering it grants the same memory twice on a busy machine.
_YOUNG_SECONDS = 2.0
_UNCOUNTED = contextlib.nullcontext()  # of nearly all photos, each of which would have to make one


class BudgetTimeoutError(Exception):
    """Other photos kept the memory for longer than the caller could wait."""


def choose_capacity(megabytes: int) -> int:
    """Return how many bytes photos may take: by the setting, or, where that is 0, by what this process may have."""
    if megabytes:
        return megabytes * 1_000_000
    limit = memory_limit()
    return _UNLIMITED if limit is None else max(_LEAST_BYTES, round(limit * _SHARE) - _OWN_BYTES)


@dataclass(eq=False, slots=True)
class _Grant:
    """Memory that a photo holds."""

    amount: int
    is_large: bool
    granted_at: float
    """By `time.monotonic`."""


class ByteBudget:
    """A number of bytes that photos reserve before they are decoded, in the order in which they ask."""

    def __init__(self, capacity: int, read_free: Callable[[], int | None] = free_memory) -> None:
        """Set up with a capacity in bytes; read_free returns how many bytes the machine has left, or None."""
        self._capacity = capacity
        self._read_free = read_free
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._used = 0
        self._young: list[_Grant] = []
        self._large = 0
        self._file_turn = threading.Lock()

    @property
    def capacity(self) -> int:
        """How many bytes there are in all."""
        return self._capacity

    def change_capacity(self, capacity: int) -> None:
        """Have another capacity from now on."""
        with self._changed:
            self._capacity = capacity
            self._changed.notify_all()

    def reserve(self, amount: int, max_wait: float | None = None) -> AbstractContextManager[None]:
        """Hold amount bytes while the context lasts; wait for that in turn, at most max_wait seconds (None: no limit).

        Raise PhotoError with `too_large` for more than there are in all, BudgetTimeoutError, and OSError (ENOMEM) where
        the machine has not that much at present.
        """
        return _UNCOUNTED if amount <= SMALL_BYTES else self._reserve(amount, max_wait)

    @contextlib.contextmanager
    def _reserve(self, amount: int, max_wait: float | None) -> Iterator[None]:
        grant = self._wait_for_turn(amount, max_wait)
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._large -= grant.is_large
                if grant in self._young:
                    self._young.remove(grant)
                self._changed.notify_all()

    def file_turn(self, length: int, max_wait: float | None = None) -> AbstractContextManager[None]:
        """Have only one large file in memory at a time while the context lasts; length is its size in bytes.

        Ask before `reserve`. Raise BudgetTimeoutError.
        """
        return _UNCOUNTED if length <= self._capacity // _FILE_SHARE else self._take_file_turn(max_wait)

    @contextlib.contextmanager
    def _take_file_turn(self, max_wait: float | None) -> Iterator[None]:
        if not self._file_turn.acquire(timeout=-1 if max_wait is None else max_wait):
            raise BudgetTimeoutError
        try:
            yield
        finally:
            self._file_turn.release()

    def _wait_for_turn(self, amount: int, max_wait: float | None) -> "_Grant":
        """Take amount bytes."""
        ticket = object()
        began = time.monotonic()
        alone_since: float | None = None
        with self._changed:
            self._waiting.append(ticket)
            try:
                while True:
                    if amount > self._capacity:
                        raise PhotoError(
                            PhotoCode.TOO_LARGE,
                            f"decoding it takes about {_mb(amount)} of memory; {_mb(self._capacity)} are there for that"
                            " (memory)",
                        )
                    is_large = amount > self._capacity // _LARGE_SHARE
                    pause = None
                    if self._waiting[0] is ticket and self._fits(amount, is_large=is_large):
                        free = self._read_free()
                        free = None if free is None else max(0, free - self._sum_young())
                        if free is None or free >= amount:
                            grant = _Grant(amount, is_large, time.monotonic())
                            self._used += amount
                            self._young.append(grant)
                            self._large += is_large
                            return grant
                        pause = _POLL_SECONDS
                        alone_since = time.monotonic() if self._used or alone_since is None else alone_since
                        if time.monotonic() - alone_since > _SHORTAGE_SECONDS:
                            raise OSError(
                                errno.ENOMEM,
                                f"decoding it takes about {_mb(amount)} of memory, of which {_mb(free)} are free now",
                            )
                    self._pause(began, max_wait, pause)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _sum_young(self) -> int:
        """Return how many bytes were granted that may not have been allocated yet: the system reports them as free."""
        since = time.monotonic() - _YOUNG_SECONDS
        self._young = [grant for grant in self._young if grant.granted_at >= since]
        return sum(grant.amount for grant in self._young)

    def _fits(self, amount: int, *, is_large: bool) -> bool:
        return self._used + amount <= self._capacity and not (is_large and self._large)

    def _pause(self, began: float, max_wait: float | None, pause: float | None) -> None:
        left = None if max_wait is None else began + max_wait - time.monotonic()
        if left is not None and left <= 0:
            raise BudgetTimeoutError
        self._changed.wait(min((seconds for seconds in (left, pause) if seconds is not None), default=None))


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
