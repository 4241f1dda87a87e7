"""Starts outputs, or waits until what they remember can be opened: a full disk keeps them back, and not the daemon."""

import logging
import sqlite3
import threading
import time
from typing import Any

from dogid.errors import DogidError
from dogid.outputs.preparation import PreparedOutputs
from dogid.outputs.running_outputs import RunningOutputs
from dogid.outputs.source import OutputSource
from dogid.outputs.states import UnwrittenFault, describe_without_store
from dogid.outputs.store import forget_rules
from dogid.outputs.store_file import explain_store_fault

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0
"""Between two attempts. Raising it has outputs come back later after the disk has room again."""


class OutputOpening:
    """The outputs of one configuration: running, or waiting for their store."""

    def __init__(self, prepared: PreparedOutputs | None, source: OutputSource) -> None:
        """Set up. prepared: None where the settings have none now, which is noted where they had some before."""
        self._prepared = prepared
        self._source = source
        self.running: RunningOutputs | None = None
        """The outputs, once they run."""
        self._fault: UnwrittenFault | None = None
        self._stopping = threading.Event()
        self._retrying = threading.Thread(target=self._retry, name="outputs opening", daemon=True)

    def start(self) -> None:
        """Start the outputs, or where their state cannot be opened now, a thread that does it later."""
        if not self._try_to_start():
            self._retrying.start()

    def _retry(self) -> None:
        while not self._stopping.wait(_RETRY_SECONDS):
            if self._try_to_start():
                log.info("outputs run now")
                return

    def _try_to_start(self) -> bool:
        """Start the outputs; return False where their state cannot be opened or written."""
        try:
            if self._prepared is None:
                forget_rules(self._source.state)
                return True
            running = RunningOutputs(self._prepared, self._source)
            running.note_start()
        except (sqlite3.Error, DogidError, OSError) as error:
            reason = explain_store_fault(error) if isinstance(error, sqlite3.Error) else str(error)
            now = self._source.clock.wall_ms()
            if self._fault is None:
                log.error("outputs cannot start, and are tried again; photos are classified meanwhile: %s", reason)
            since = now if self._fault is None else self._fault.since
            self._fault = UnwrittenFault(reason, since, now + round(1000 * _RETRY_SECONDS))
            return False
        self.running = running
        if self._stopping.is_set():  # while it was being opened
            running.request_stop()
        running.start()
        return True

    def request_stop(self) -> None:
        """Have all end after what they are doing."""
        self._stopping.set()
        if self.running is not None:
            self.running.request_stop()

    def join(self, deadline: float) -> None:
        """Wait until deadline (a `time.monotonic()`) for outputs to end, then leave those that hang."""
        if self._retrying.ident is not None:
            self._retrying.join(max(0.0, deadline - time.monotonic()))
            if self._retrying.is_alive():
                return
        if self.running is not None:
            self.running.join(deadline)
        elif self._prepared is not None:
            for each in self._prepared.outputs:
                each.output.close()

    def describe(self) -> list[dict[str, Any]]:
        """Return how each output is doing, in the order of the settings."""
        running, fault = self.running, self._fault
        if running is not None:
            return running.describe()
        if self._prepared is None or fault is None:
            return []
        outputs = [(entry.name, entry.type, entry.enabled) for entry in self._prepared.configuration.outputs]
        return describe_without_store(outputs, fault)
