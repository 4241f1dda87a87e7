"""The outputs that run: their threads, and one more that follows the ledger and decides by the rules."""

import functools
import logging
import sqlite3
import threading
import time
from typing import Any

from dogid.errors import DogidError
from dogid.file_names import one_line
from dogid.ledger.queries import has_due_photos, read_newest_seq
from dogid.outputs.backlog import Backlog
from dogid.outputs.pace import Pace
from dogid.outputs.photos_first import LIVE_PHOTOS
from dogid.outputs.preparation import PreparedOutputs
from dogid.outputs.rule_engine import RuleEngine, Step
from dogid.outputs.runner import OutputRunner
from dogid.outputs.source import OutputSource
from dogid.outputs.states import UnwrittenFault, describe_outputs, note_fault
from dogid.outputs.store import OutputStore
from dogid.outputs.store_file import explain_store_fault
from dogid.outputs.trial_messages import (
    TEST,
    Request,
    TestOutcome,
    change_parked,
    make_test_delivery,
    note_outcome,
    refuse_request,
    take_requests,
)

log = logging.getLogger(__name__)

_FOLLOW_SECONDS = 60.0
"""How long to wait for a signal before looking anyway."""
_RETRY_SECONDS = 5.0
"""After a fault of the ledger or the store. Raising it delays events after the fault is over."""


class RunningOutputs:
    """All outputs of one configuration."""

    def __init__(self, prepared: PreparedOutputs, source: OutputSource) -> None:
        """Open the store. Raise UsageError, OSError or sqlite3.Error where that fails."""
        self._prepared = prepared
        self._source = source
        self._store = OutputStore(source.state)
        self._runners = dict[str, OutputRunner]()
        self._backlogs = dict[str, Backlog]()
        self._stopping = threading.Event()
        self._rule_fault: UnwrittenFault | None = None
        self._is_behind = False  # the rules, by more than they take at once
        self._follower = threading.Thread(target=self._follow, name="output rules", daemon=True)
        wants_all = {each.entry.name: each.output.wants_all for each in prepared.outputs}
        for each in prepared.outputs:
            name = each.entry.name
            backlog = Backlog(
                name,
                self._store,
                source.reader,
                wants_all=each.output.wants_all,
                wants_events=each.output.wants_events,
            )
            self._backlogs[name] = backlog
            runner = OutputRunner(
                name, each.output, backlog, self._store, source.clock, each.link.stopping, lambda: self._is_behind
            )
            each.link.on_wake = runner.retry_now
            self._runners[name] = runner

        self._followers = [runner for name, runner in self._runners.items() if wants_all[name]]
        rules = prepared.configuration.rules
        self._engine: RuleEngine | None = None
        if rules:
            self._engine = RuleEngine(
                rules, self._runners.keys(), self._store, source.reader, source.list_labels, source.clock
            )

    def start(self) -> None:
        """Start all threads."""
        for runner in self._runners.values():
            runner.start()
        self._follower.start()

    def note_start(self) -> None:
        """Note what is configured, and where new outputs begin. Raise sqlite3.Error or DogidError, with all closed."""
        try:
            self._note_start()
        except BaseException:
            self._store.close()
            raise

    def _note_start(self) -> None:
        configuration = self._prepared.configuration
        lost = self._store.keep_only(
            [entry.name for entry in configuration.outputs], [rule.name for rule in configuration.rules]
        )
        self._store.note_configured([(entry.name, entry.type, entry.enabled) for entry in configuration.outputs])
        for name, count in lost.items():
            log.warning("output %s is no longer in the settings: %d events that waited for it are dropped", name, count)
        self._check_ledger()
        for each in self._prepared.outputs:
            self._backlogs[each.entry.name].start_where_new(from_start=each.entry.from_start)
        if self._engine is None:
            self._store.forget_rules_cursor()
        else:
            self._engine.start()

    def _check_ledger(self) -> None:
        """Begin a new stream where the ledger is another one: it was lost, or replaced by an older one."""
        newest, last = read_newest_seq(self._source.reader()), self._store.read_last_cursor()
        if last > newest:
            log.warning(
                "the ledger is another one than outputs have read (its newest result is number %d, and they have read"
                " up to %d): they go on with results that come from now on",
                newest, last,
            )  # fmt: skip
            self._store.begin_stream(newest)

    def request_stop(self) -> None:
        """Have all threads end after what they are doing."""
        self._stopping.set()
        for runner in self._runners.values():
            runner.request_stop()
        self._source.signal.announce()

    def join(self, deadline: float) -> None:
        """Wait until deadline (a `time.monotonic()`) for the threads to end, then leave those that hang."""
        if self._follower.ident is not None:  # else it was not started: the machine gave no more threads
            self._follower.join(max(0.0, deadline - time.monotonic()))
        hanging = [name for name, runner in self._runners.items() if not runner.join(deadline)]
        if hanging:
            log.warning("outputs that do not end are left: %s; what they send is sent again", ", ".join(hanging))
        self._store.close()

    def _follow(self) -> None:
        """Wake outputs for what is new, and apply the rules to it."""
        signal, pace = self._source.signal, Pace()
        while not (self._stopping.is_set() or signal.closed):
            known = signal.number
            pace.begin()
            for runner in self._followers:
                runner.wake()
            wait, has_more = _FOLLOW_SECONDS, False
            if self._engine is not None:
                step = self._apply_rules(self._engine)
                wait = _RETRY_SECONDS if step is None else min(wait, step.next_close or wait)
                has_more = step is not None and step.has_more
            self._is_behind = has_more
            if has_more and not self._photos_wait():
                continue  # live events wait for this
            if has_more:
                self._stopping.wait(pace.rest_in_backlog(photos_wait=True))
            else:
                many = self._engine is not None and self._photos_wait(LIVE_PHOTOS)
                self._stopping.wait(pace.rest(many_photos=many))
                signal.wait_for_change(known, wait)

    def _apply_rules(self, engine: RuleEngine) -> Step | None:
        """Apply the rules to what is new, and wake the outputs that get events; return None where that failed."""
        try:
            step = engine.step()
        except Exception as error:  # whatever happens: a thread that ends here would be silent for good
            if self._stopping.is_set():
                return None
            is_expected = isinstance(error, sqlite3.Error | DogidError)
            reason = explain_store_fault(error) if isinstance(error, sqlite3.Error) else one_line(str(error))
            now = self._source.clock.wall_ms()
            if self._rule_fault is None:
                log.warning("rules cannot be applied, and are tried again: %s", reason, exc_info=not is_expected)
            since = now if self._rule_fault is None else self._rule_fault.since
            message = f"rules cannot be applied: {reason}"
            self._rule_fault = UnwrittenFault(message, since, now + round(1000 * _RETRY_SECONDS))
            return None
        self._rule_fault = None
        for name in step.outputs:
            self._runners[name].wake_for_events()
        return step

    def _photos_wait(self, most: int = 0) -> bool:
        try:
            return has_due_photos(self._source.reader(), most)
        except (sqlite3.Error, DogidError):
            return True  # the next round, which cannot read the ledger either, notes why

    def answer_requests(self) -> bool:
        """Do what commands ask for, such as to send a test message; return whether one asks."""
        requests = take_requests(self._store, self._source.clock)
        for request in requests:
            self._answer(request)
        return bool(requests)

    def change_refused(self, action: str, output: str) -> TestOutcome:
        """Send again what an output refused (RETRY), or forget it (DISCARD); return what became of that."""
        configured = [entry.name for entry in self._prepared.configuration.outputs]
        if output not in configured:
            return refuse_request(output, self._source.state, configured)
        try:
            outcome = change_parked(self._store, action, output)
        except sqlite3.Error as error:
            return TestOutcome(ok=False, detail=explain_store_fault(error))
        runner = self._runners.get(output)
        if runner is not None:
            runner.retry_now()
        return outcome

    def _answer(self, request: Request) -> None:
        name, source = request.output, self._source
        runner = self._runners.get(name)
        if request.action != TEST:
            note_outcome(self._store, request.id, self.change_refused(request.action, name))
        elif runner is None:
            configured = [entry.name for entry in self._prepared.configuration.outputs]
            note_outcome(self._store, request.id, refuse_request(name, source.state, configured))
        else:
            delivery = make_test_delivery(
                source.reader(), source.list_labels(), source.clock, wants_events=runner.wants_events
            )
            runner.send_test(delivery, functools.partial(note_outcome, self._store, request.id))

    def describe(self) -> list[dict[str, Any]]:
        """Return how each output is doing, in the order of the settings."""
        configuration = self._prepared.configuration
        outputs = [(entry.name, entry.type, entry.enabled) for entry in configuration.outputs]
        states = describe_outputs(outputs, self._store, self._source.reader())
        in_rules = {name for rule in configuration.rules for name in rule.to}
        for state in states:
            runner = self._runners.get(state["name"])
            fault = None if runner is None else runner.unwritten_fault
            if fault is None and runner is not None and state["error"] is None and state["name"] in in_rules:
                fault = self._rule_fault
            if fault is not None:
                note_fault(state, fault)
        return states
