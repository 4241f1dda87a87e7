"""Runs one output in a thread of its own: sends what waits, backs off after faults, parks what is refused."""

import contextlib
import logging
import math
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.outputs.backlog import Backlog, Batch
from dogid.outputs.fault_log import FaultLog, shorten_error
from dogid.outputs.output import Delivery, Output, OutputError, RefusedError
from dogid.outputs.pace import Pace
from dogid.outputs.photos_first import PhotosFirst
from dogid.outputs.runner_notes import RunnerNotes
from dogid.outputs.states import UnwrittenFault
from dogid.outputs.store import OutputStore
from dogid.outputs.trial_messages import TestOutcome, send_test

log = logging.getLogger(__name__)

_LONGEST_WAIT = 300.0
"""Seconds between two attempts, at most. Raising it has an output notice later that the other side is back."""
_LONGEST_ASKED = 3600.0
"""Seconds that the other side can ask for, at most. Raising it has a mistake there look like a broken output."""
_LONGEST_STORE_WAIT = 10.0
"""The same where a database in the state folder cannot be read or written: trying costs little there."""
_TRIES = 4
"""Attempts before a refused delivery is parked. More delay those behind it; fewer park what a passing fault refused."""


@dataclass(frozen=True, slots=True)
class _Test:
    delivery: Delivery
    done: Callable[[TestOutcome], None]


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
        rules_are_behind: Callable[[], bool],
    ) -> None:
        """Set up, without starting the thread.

        stopping: what the output's context has of that name. rules_are_behind: as of PhotosFirst.
        """
        self.name = name
        self._output = output
        self._backlog = backlog
        self._stopping = stopping
        self._woken = threading.Event()
        self._tests = deque[_Test]()
        self._notes = RunnerNotes(name, store, clock)
        self._fault_log = FaultLog(name, self._notes.former_error)
        self._failures = 0  # one after the other
        self._acknowledged = 0  # of the batch that was sent last
        self._refused: tuple[str, int] | None = None  # id of a delivery, and how often it was refused
        self._next_try = 0.0  # monotonic seconds, as all below
        self._next_tend: float = 0.0
        self._is_tending = False
        self._pace = Pace()
        self._photos_first = PhotosFirst(backlog, rules_are_behind, yields=getattr(output, "yields_to_photos", False))
        self._rests = False  # with results and reviews, beside photos that wait to be classified
        self._thread = threading.Thread(target=self._run, name=f"output {name}", daemon=True)

    @property
    def wants_events(self) -> bool:
        """Whether the output takes events of rules."""
        return self._output.wants_events

    @property
    def unwritten_fault(self) -> UnwrittenFault | None:
        """The last fault, where the store could not take it."""
        return self._notes.unwritten_fault

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Have it look for what waits; results that rest are looked for afterwards."""
        if not self._rests:
            self._woken.set()

    def wake_for_events(self) -> None:
        """Have it look for events, which never rest."""
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
        has_ended = not self._thread.is_alive()
        if not has_ended:
            self._notes.abandon()
        return has_ended

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
                self._notes.write_progress()
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
            self._notes.write_progress()
            self._tend()
            if self._stopping.is_set():
                return
            self._rests = self._output.wants_all and self._photos_first.has_to_rest()
            batch = self._backlog.read(self._output.batch, events_only=self._rests)
            if batch.deliveries:
                self._send(batch)
                self._next_tend = 0.0
                self._tend()
            elif batch.end.event is not None or batch.end.seq is not None:
                self._notes.note_sent(batch, 0, 0)
            self._notes.write_progress()
            if self._notes.note_ok():
                self._fault_log.note_ok(has_arrived=bool(batch.deliveries))
        except RefusedError as error:
            self._on_refused(error, batch)
        except sqlite3.Error as error:
            self._on_failure(error)
        except (OutputError, OSError) as error:
            self._on_failure(error)
        except Exception as error:  # a fault of the output's own code, or a ledger that cannot be read
            if not self._fault_log.has_faults:
                log.warning("output %s: internal error", self.name, exc_info=True)
            self._on_failure(error)
        else:
            self._failures = 0
            self._wait_after(batch)

    def _wait_after(self, batch: Batch) -> None:
        """Wait after a round, as long as there is nothing to do, or photos go before it."""
        if batch.end.seq is not None:
            self._photos_first.note_round(self._pace.used_seconds())
        has_rested, self._rests = self._rests, self._output.wants_all and self._photos_first.has_to_rest()
        if self._rests:
            self._rest()
        elif len(batch.deliveries) >= self._output.batch:
            seconds = self._pace.rest_in_backlog(photos_wait=self._photos_first.photos_wait())
            self._wait_until(time.monotonic() + seconds, wakes=False)
        elif not (batch.deliveries or has_rested):  # else there may be more by now
            self._wait_until(self._next_tend)

    def _rest(self) -> None:
        """Rest with results as long as photos wait to be classified, within limits, or until there is an event."""
        while True:
            look = time.monotonic() + self._photos_first.look_seconds
            if self._wait_until(min(look, self._next_tend)) or time.monotonic() >= self._next_tend:
                return
            if not self._photos_first.has_to_rest():
                return

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
                self._notes.note_sent(batch, count, count - noted)
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
            reason = shorten_error(error)
            if not self._notes.park(batch, arrived, reason):
                return
        except sqlite3.Error as fault:  # it is refused once more, then parked
            self._on_failure(fault)
            return
        log.warning(
            "output %s: %s was refused %d times and is parked: %s; after a change: dogid outputs retry %s",
            self.name, delivery.id, _TRIES, reason, self.name,
        )  # fmt: skip
        # not the failures: where all is refused, a person has time to see it before much is parked
        self._refused, self._next_try = None, 0.0

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
        message = shorten_error(error)
        self._fault_log.note_fault(message, is_tending=self._is_tending)
        self._notes.note_failed(message, wait)

    def _run_test(self, test: _Test) -> None:
        outcome = send_test(self._output, test.delivery)
        try:
            test.done(outcome)
        except sqlite3.Error as error:  # the command that waits says that it got no answer
            log.warning("output %s: the outcome of a test cannot be noted: %s", self.name, error)
        if outcome.ok:
            self._next_try = 0.0

    def _wait_until(self, moment: float, *, wakes: bool = True) -> bool:
        """Wait until a moment, a stop, a test, a change of the next attempt; where it wakes, also for new results.

        Return whether it was something else than the moment.
        """
        was = self._next_try
        while not (self._stopping.is_set() or self._tests) and self._next_try == was:
            seconds = moment - time.monotonic()
            if seconds <= 0:
                return False
            if self._woken.wait(min(seconds, threading.TIMEOUT_MAX)):
                if wakes and time.monotonic() >= was:
                    return True
                self._woken.clear()  # before the conditions above are looked at again
        return True
