"""Runs one output in a thread of its own: sends what waits, backs off after faults, parks what is refused."""

import contextlib
import logging
import math
import random
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.errors import DogidError
from dogid.file_names import one_line
from dogid.outputs.backlog import Backlog, Batch
from dogid.outputs.output import Delivery, Output, OutputError, RefusedError
from dogid.outputs.pace import Pace
from dogid.outputs.states import UnwrittenFault
from dogid.outputs.store import OutputStore, explain_store_fault
from dogid.outputs.trial_messages import TestOutcome

log = logging.getLogger(__name__)

_LONGEST_WAIT = 300.0
"""Seconds between two attempts, at most. Raising it has an output notice later that the other side is back."""
_LONGEST_ASKED = 3600.0
"""Seconds that the other side can ask for, at most. Raising it has a mistake there look like a broken output."""
_LONGEST_STORE_WAIT = 10.0
"""The same where a database in the state folder cannot be read or written: trying costs little there."""
_TRIES = 4
"""Attempts before a refused delivery is parked. More delay those behind it; fewer park what a passing fault refused."""
_LOOK_SECONDS = 0.5
"""Between two looks whether photos still wait. More has an output that yields to them, and a test message, begin later;
less takes time from the photos."""
_MOST_ERROR = 300  # characters of an error that are kept
_MOST_CAUSES = 20
"""Of one outage, that are logged. Raising it has an output that fails each time in another way fill the log."""


@dataclass(frozen=True, slots=True)
class _Test:
    delivery: Delivery
    done: Callable[[TestOutcome], None]


@dataclass(slots=True)
class _Unwritten:
    """What the store could not take, as where the disk is full; it is written before anything more is sent."""

    event: int | None = None
    seq: int | None = None
    count: int = 0


class OutputRunner:
    """One output, its thread, and how it is doing."""

    def __init__(
        self,
        name: str,
        output: Output,
        backlog: Backlog,
        store: OutputStore,
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        """Set up, without starting the thread. stopping: what the output's context has of that name."""
        self.name = name
        self._output = output
        self._backlog = backlog
        self._store = store
        self._clock = clock
        self._stopping = stopping
        self._is_abandoned = False
        self._woken = threading.Event()
        self._tests = deque[_Test]()
        self._lock = threading.Lock()  # of what is noted: an abandoned runner notes nothing more
        self._unwritten = _Unwritten()
        self._unwritten_fault: UnwrittenFault | None = None
        self._failures = 0  # one after the other
        self._acknowledged = 0  # of the batch that was sent last
        self._refused: tuple[str, int] | None = None  # id of a delivery, and how often it was refused
        self._next_try = 0.0  # monotonic seconds, as all below
        self._next_tend: float = 0.0
        former = store.read_state(name).error
        self._causes = set[str]() if former is None else {_name_cause(former)}
        """Of faults that were logged since something arrived."""
        self._is_tending = self._was_tending = False  # at the last fault: it is over as soon as that is possible again
        self._has_error = former is not None  # in the store
        self._pace = Pace()
        self._yields: bool = output.wants_all and getattr(output, "yields_to_photos", False)
        self._thread = threading.Thread(target=self._run, name=f"output {name}", daemon=True)

    @property
    def wants_events(self) -> bool:
        """Whether the output takes events of rules."""
        return self._output.wants_events

    @property
    def unwritten_fault(self) -> UnwrittenFault | None:
        """The last fault, where the store could not take it."""
        return self._unwritten_fault

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Have it look for what waits."""
        self._woken.set()

    def retry_now(self) -> None:
        """Have it try again at once, also after a fault."""
        self._next_try = self._next_tend = 0.0
        self._woken.set()

    def send_test(self, delivery: Delivery, done: Callable[[TestOutcome], None]) -> None:
        """Have its thread send a test message at once, and call done with the outcome."""
        self._tests.append(_Test(delivery, done))
        self._woken.set()

    def request_stop(self) -> None:
        """Have the thread end after what is being sent."""
        self._stopping.set()
        self._woken.set()

    def join(self, deadline: float) -> bool:
        """Wait until deadline (a `time.monotonic()`) for the end; return whether it has ended.

        One that has not notes nothing any more: what it sends meanwhile is sent again, with the same ids.
        """
        if self._thread.ident is not None:  # else it was not started: the machine gave no more threads
            self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            self._is_abandoned = self._thread.is_alive()
        return not self._is_abandoned

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                try:
                    self._step()
                except Exception as error:  # whatever happens: a thread that ends here would be silent for good
                    log.warning("output %s: internal error", self.name, exc_info=True)
                    self._on_failure(error)
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._write_progress()
            try:
                self._output.close()
            except Exception:
                log.warning("output %s: could not be closed", self.name, exc_info=True)

    def _step(self) -> None:
        """Do what is due, then wait until something is."""
        while self._tests and not self._stopping.is_set():
            self._run_test(self._tests.popleft())
        if time.monotonic() < self._next_try:
            self._wait_until(self._next_try)
            return
        batch: Batch | None = None
        self._pace.begin()
        self._is_tending = False
        try:
            self._write_progress()
            self._tend()
            if self._stopping.is_set():
                return
            batch = self._backlog.read(self._output.batch)
            if batch.deliveries:
                self._send(batch)
                self._next_tend = 0.0
                self._tend()
            elif batch.end.event is not None or batch.end.seq is not None:
                self._note_sent(batch, 0, 0)
            self._write_progress()
            self._note_ok(has_arrived=bool(batch.deliveries))
        except RefusedError as error:
            self._on_refused(error, batch)
        except sqlite3.Error as error:
            self._on_failure(error)
        except (OutputError, OSError) as error:
            self._on_failure(error)
        except Exception as error:  # a fault of the output's own code, or a ledger that cannot be read
            if not self._causes:
                log.warning("output %s: internal error", self.name, exc_info=True)
            self._on_failure(error)
        else:
            self._failures = 0
            if self._yields and batch.deliveries:
                self._rest_beside_photos()
            if len(batch.deliveries) >= self._output.batch:
                self._wait_until(time.monotonic() + self._pace.rest_seconds(has_more=True), wakes=False)
            elif not batch.deliveries:  # else there may be more by now
                self._wait_until(self._next_tend)

    def _rest_beside_photos(self) -> None:
        """Rest after a round as long as photos wait to be classified, within limits."""
        end = time.monotonic() + self._pace.rest_seconds_beside_photos()
        while not self._tests and self._photos_wait() and (left := end - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _LOOK_SECONDS)):
                return

    def _photos_wait(self) -> bool:
        try:
            return self._backlog.photos_wait()
        except (sqlite3.Error, DogidError):
            return False  # the next round, which cannot read the ledger either, notes why

    def _tend(self) -> None:
        if time.monotonic() >= self._next_tend:
            self._is_tending = True
            seconds = self._output.tend()
            self._is_tending = False
            self._next_tend = math.inf if seconds is None else time.monotonic() + seconds

    def _send(self, batch: Batch) -> None:
        self._acknowledged = 0

        def acknowledged(count: int) -> None:
            noted = self._acknowledged
            if count > noted:
                self._note_sent(batch, count, count - noted)
                self._acknowledged = count
                self._failures = 0
                if self._refused is not None:
                    refused = self._refused[0]
                    if any(delivery.id == refused for delivery in batch.deliveries[noted:count]):
                        self._refused = None

        try:
            self._output.send(batch.deliveries, acknowledged)
        except (OutputError, OSError, sqlite3.Error):
            raise
        except Exception as error:  # of the output's own code: perhaps this delivery alone brings it about
            if self._refused is None:
                log.warning("output %s: internal error", self.name, exc_info=True)
            raise RefusedError(f"internal error: {type(error).__name__}: {error}") from error

    def _on_refused(self, error: RefusedError, batch: Batch | None) -> None:
        """Count how often the first delivery that has not arrived was refused, and park it after a few times."""
        arrived = self._acknowledged
        if batch is None or arrived >= len(batch.deliveries):
            self._on_failure(error)
            return
        delivery = batch.deliveries[arrived]
        tries = self._refused[1] + 1 if self._refused is not None and self._refused[0] == delivery.id else 1
        self._refused = delivery.id, tries
        self._on_failure(error)
        if tries < _TRIES:
            return
        try:
            if not self._park(batch, arrived, _shorten(error)):
                return
        except sqlite3.Error as fault:  # it is refused once more, then parked
            self._on_failure(fault)
            return
        # not the failures: where all is refused, a person has time to see it before much is parked
        self._refused, self._next_try = None, 0.0

    def _park(self, batch: Batch, at: int, reason: str) -> bool:
        """Put the delivery at a place of a batch aside, all before which have arrived; return whether that was done.

        Raise sqlite3.Error.
        """
        delivery, end, now = batch.deliveries[at], batch.position_after(at + 1), self._clock.wall_ms()
        with self._lock:
            if self._is_abandoned:
                return False
            self._write_progress_locked()
            with self._store.transaction():
                if not self._store.park(self.name, delivery, reason, now):
                    return False  # it waits, and is tried again: what all is refused for is not the fault of one
                self._store.note_sent(self.name, event=end.event, seq=end.seq, count=0, at_ms=now)
        log.warning(
            "output %s: %s was refused %d times and is parked: %s; after a change: dogid outputs retry %s",
            self.name, delivery.id, _TRIES, reason, self.name,
        )  # fmt: skip
        return True

    def _on_failure(self, error: Exception) -> None:
        """Note a fault, and when to try again."""
        wait = min(_LONGEST_WAIT, 2.0**self._failures) * random.uniform(0.8, 1.0)  # noqa: S311
        if isinstance(error, OutputError) and error.retry_after is not None:
            wait = min(max(wait, error.retry_after), _LONGEST_ASKED)
        if isinstance(error, sqlite3.Error):
            wait = min(wait, _LONGEST_STORE_WAIT)
        self._failures = min(self._failures + 1, 16)
        self._next_try = time.monotonic() + wait
        self._next_tend = 0.0
        message, now = _shorten(error), self._clock.wall_ms()
        self._was_tending = self._is_tending
        cause = _name_cause(message)
        if cause not in self._causes and len(self._causes) < _MOST_CAUSES:
            self._causes.add(cause)
            log.warning("output %s does not get through, and is tried again: %s", self.name, message)
        with self._lock:
            if self._is_abandoned:
                return
            self._has_error = True
            next_try = now + round(1000 * wait)
            try:
                self._store.note_failed(self.name, message, now, next_try)
                self._unwritten_fault = None
            except sqlite3.Error as fault:
                since = now if self._unwritten_fault is None else self._unwritten_fault.since
                self._unwritten_fault = UnwrittenFault(_shorten(fault), since, next_try)

    def _note_ok(self, *, has_arrived: bool) -> None:
        """Note that nothing fails. The log has it where something has arrived, or a lost connection is there again.

        Raise sqlite3.Error.
        """
        if not (self._has_error or self._causes):
            return
        with self._lock:
            if self._is_abandoned:
                return
            if self._has_error:
                self._store.note_ok(self.name)
                self._has_error, self._unwritten_fault = False, None
            if has_arrived or self._was_tending:
                if self._causes:
                    log.info("output %s %s", self.name, "works again" if has_arrived else "is connected again")
                self._causes.clear()

    def _note_sent(self, batch: Batch, count: int, more: int) -> None:
        """Note how far it got, as soon as the store takes it."""
        position = batch.end if count == 0 else batch.position_after(count)
        with self._lock:
            known = self._unwritten
            event = known.event if position.event is None else position.event
            seq = known.seq if position.seq is None else position.seq
            self._unwritten = _Unwritten(event, seq, known.count + more)
            with contextlib.suppress(sqlite3.Error):  # it comes up again before anything more is sent
                self._write_progress_locked()

    def _write_progress(self) -> None:
        """Write what the store could not take before. Raise sqlite3.Error."""
        with self._lock:
            self._write_progress_locked()

    def _write_progress_locked(self) -> None:
        left = self._unwritten
        if self._is_abandoned or left == _Unwritten():
            return
        now = self._clock.wall_ms()
        self._store.note_sent(self.name, event=left.event, seq=left.seq, count=left.count, at_ms=now)
        self._unwritten = _Unwritten()

    def _run_test(self, test: _Test) -> None:
        outcome = send_test(self._output, test.delivery)
        try:
            test.done(outcome)
        except sqlite3.Error as error:  # the command that waits says that it got no answer
            log.warning("output %s: the outcome of a test cannot be noted: %s", self.name, error)
        if outcome.ok:
            self._next_try = 0.0

    def _wait_until(self, moment: float, *, wakes: bool = True) -> None:
        """Wait until a moment, a stop, a test, a change of the next attempt; where it wakes, also for new results."""
        was = self._next_try
        while not (self._stopping.is_set() or self._tests) and self._next_try == was:
            seconds = moment - time.monotonic()
            if seconds <= 0:
                return
            if self._woken.wait(min(seconds, threading.TIMEOUT_MAX)):
                if wakes and time.monotonic() >= was:
                    return
                self._woken.clear()  # before the conditions above are looked at again


def send_test(output: Output, delivery: Delivery) -> TestOutcome:
    """Send a test message in the calling thread, which is the output's own."""
    acknowledged = 0

    def note(count: int) -> None:
        nonlocal acknowledged
        acknowledged = count

    try:
        output.tend()
        output.send([delivery], note)
    except Exception as error:
        return TestOutcome(ok=False, detail=_shorten(error))
    if not acknowledged:
        return TestOutcome(ok=False, detail="it was sent, and the other side has not acknowledged it")
    return TestOutcome(ok=True, detail="the other side has it")


def _shorten(error: Exception) -> str:
    text = one_line(explain_store_fault(error) if isinstance(error, sqlite3.Error) else str(error))
    text = text or type(error).__name__
    return text if len(text) <= _MOST_ERROR else f"{text[:_MOST_ERROR]}..."


def _name_cause(message: str) -> str:
    """Return what faults of one cause have in common: all but long numbers, as of ports, processes and times."""
    return re.sub(r"\d{4,}", "0", message)
