"""The outputs that run: their threads, and one more that follows the ledger and decides by the rules."""

import logging
import threading
import time
from typing import Any

from dogid.clock import iso_utc
from dogid.ledger.queries import read_newest_seq
from dogid.outputs.backlog import Backlog
from dogid.outputs.preparation import PreparedOutputs
from dogid.outputs.runner import OutputRunner
from dogid.outputs.source import OutputSource
from dogid.outputs.store import OutputStore, StoredState

log = logging.getLogger(__name__)

_FOLLOW_SECONDS = 60.0
"""How long to wait for a signal before looking anyway."""


class RunningOutputs:
    """All outputs of one configuration."""

    def __init__(self, prepared: PreparedOutputs, source: OutputSource) -> None:
        """Open the store. Raise UsageError where that fails."""
        self._prepared = prepared
        self._source = source
        self._store = OutputStore(source.state)
        self._runners = dict[str, OutputRunner]()
        self._backlogs = dict[str, Backlog]()
        self._stopping = False
        self._follower = threading.Thread(target=self._follow, name="output rules", daemon=True)
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
            runner = OutputRunner(name, each.output, backlog, self._store, source.clock, each.link.stopping)
            each.link.on_wake = runner.retry_now
            self._runners[name] = runner

    def start(self) -> None:
        """Start all threads."""
        configuration = self._prepared.configuration
        lost = self._store.keep_only(
            [entry.name for entry in configuration.outputs], [rule.name for rule in configuration.rules]
        )
        for name, count in lost.items():
            log.warning("output %s is no longer in the settings: %d events that waited for it are dropped", name, count)
        self._check_ledger()
        for each in self._prepared.outputs:
            self._backlogs[each.entry.name].start_where_new(from_start=each.entry.from_start)
        for runner in self._runners.values():
            runner.start()
        self._follower.start()

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
        self._stopping = True
        for runner in self._runners.values():
            runner.request_stop()
        self._source.signal.announce()

    def join(self, deadline: float) -> None:
        """Wait until deadline (a `time.monotonic()`) for the threads to end, then leave those that hang."""
        self._follower.join(max(0.0, deadline - time.monotonic()))
        hanging = [name for name, runner in self._runners.items() if not runner.join(deadline)]
        if hanging:
            log.warning("outputs that do not end are left: %s; what they send is sent again", ", ".join(hanging))
        self._store.close()

    def _follow(self) -> None:
        signal = self._source.signal
        known = signal.number
        while not (self._stopping or signal.closed):
            known = signal.wait_for_change(known, _FOLLOW_SECONDS)
            for runner in self._runners.values():
                runner.wake()

    def describe(self) -> list[dict[str, Any]]:
        """Return how each output is doing, in the order of the settings."""
        documents = []
        for entry in self._prepared.configuration.outputs:
            backlog = self._backlogs.get(entry.name)
            state = self._store.read_state(entry.name)
            count = None if backlog is None else backlog.count()
            documents.append(describe_state(entry.name, entry.type, state, backlog=count, enabled=entry.enabled))
        return documents


def describe_state(name: str, kind: str, state: StoredState, *, backlog: int | None, enabled: bool) -> dict[str, Any]:
    """Return how an output is doing as a JSON document; backlog: how many deliveries wait, None where not known."""
    error = None
    if state.error is not None and state.error_since is not None:
        error = {"message": state.error, "since": iso_utc(state.error_since)}
    return {
        "name": name,
        "type": kind,
        "enabled": enabled,
        "ok": enabled and error is None,
        "backlog": backlog,
        "sent": state.sent,
        "failed": state.failed,
        "parked": state.parked,
        "error": error,
        "last_sent_at": None if state.sent_at is None else iso_utc(state.sent_at),
        "next_try_at": None if state.next_try is None else iso_utc(state.next_try),
    }
