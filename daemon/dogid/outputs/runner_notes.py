"""What one output's runner notes in the store: how far it got, how it is doing, and what is parked.

What the store cannot take, as where the disk is full, is kept, and written before anything more is sent.
"""

import contextlib
import sqlite3
import threading
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.outputs.backlog import Batch
from dogid.outputs.fault_log import shorten_error
from dogid.outputs.states import UnwrittenFault
from dogid.outputs.store import OutputStore


@dataclass(slots=True)
class _Unwritten:
    """What the store could not take."""

    event: int | None = None
    seq: int | None = None
    count: int = 0


class RunnerNotes:
    """The notes of one runner, until it is abandoned."""

    def __init__(self, output: str, store: OutputStore, clock: Clock) -> None:
        """Set up. output: its name."""
        self._output = output
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._is_abandoned = False
        self._unwritten = _Unwritten()
        self.unwritten_fault: UnwrittenFault | None = None
        """The last fault, where the store could not take it."""
        self.former_error = store.read_state(output).error
        """The fault that the process before has noted last, where it lasted."""
        self._has_error = self.former_error is not None  # in the store

    def abandon(self) -> None:
        """Note nothing more: another process may go on with what is noted."""
        with self._lock:
            self._is_abandoned = True

    def note_sent(self, batch: Batch, count: int, more: int) -> None:
        """Note that so many of a batch have arrived, more of them than before, as soon as the store takes it."""
        position = batch.end if count == 0 else batch.position_after(count)
        with self._lock:
            known = self._unwritten
            event = known.event if position.event is None else position.event
            seq = known.seq if position.seq is None else position.seq
            self._unwritten = _Unwritten(event, seq, known.count + more)
            with contextlib.suppress(sqlite3.Error):  # it comes up again before anything more is sent
                self._write()

    def write_progress(self) -> None:
        """Write what the store could not take before. Raise sqlite3.Error."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        left = self._unwritten
        if self._is_abandoned or left == _Unwritten():
            return
        now = self._clock.wall_ms()
        self._store.note_sent(self._output, event=left.event, seq=left.seq, count=left.count, at_ms=now)
        self._unwritten = _Unwritten()

    def park(self, batch: Batch, at: int, reason: str) -> bool:
        """Put the delivery at a place of a batch aside, all before which have arrived; return whether that was done.

        Raise sqlite3.Error.
        """
        delivery, end, now = batch.deliveries[at], batch.position_after(at + 1), self._clock.wall_ms()
        with self._lock:
            if self._is_abandoned:
                return False
            self._write()
            with self._store.transaction():
                if not self._store.park(self._output, delivery, reason, now):
                    return False  # it waits, and is tried again: what all is refused for is not the fault of one
                self._store.note_sent(self._output, event=end.event, seq=end.seq, count=0, at_ms=now)
        return True

    def note_failed(self, message: str, wait: float) -> None:
        """Note a fault, and that the next try comes in so many seconds."""
        with self._lock:
            if self._is_abandoned:
                return
            self._has_error = True
            now = self._clock.wall_ms()
            next_try = now + round(1000 * wait)
            try:
                self._store.note_failed(self._output, message, now, next_try)
                self.unwritten_fault = None
            except sqlite3.Error as fault:
                since = now if self.unwritten_fault is None else self.unwritten_fault.since
                self.unwritten_fault = UnwrittenFault(shorten_error(fault), since, next_try)

    def note_ok(self) -> bool:
        """Note that nothing fails; return False where nothing is noted any more. Raise sqlite3.Error."""
        with self._lock:
            if self._has_error and not self._is_abandoned:
                self._store.note_ok(self._output)
                self._has_error, self.unwritten_fault = False, None
            return not self._is_abandoned
