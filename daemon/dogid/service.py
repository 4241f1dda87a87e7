"""The daemon: builds the rooms, opens their doors in order, and closes them again."""

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dogid.clock import Clock
from dogid.errors import UsageError
from dogid.inbox.reconciler import Reconciler, WatchStatus
from dogid.inbox.scan import look
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.records import Classified, Failed, Outcome, Waiting
from dogid.model.classifier import Model, load_model
from dogid.model.shipped import shipped_model
from dogid.names import one_line, shown_name
from dogid.photo import limit_pixels
from dogid.pipeline import Pipeline
from dogid.settings import Settings
from dogid.settling import Settling
from dogid.worker import Work

log = logging.getLogger(__name__)

_STOP_SECONDS = 1.2  # for workers to finish their photo; what they do not finish stays pending


class Service:
    """A daemon that is set up but for the HTTP server. Use `running` to start and stop it."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        clock = clock or Clock()
        self.settings = settings
        limit_pixels(settings.max_pixels)
        self.model: Model = load_model(settings.model or shipped_model(), settings.labels)
        self.inbox = prepare_inbox(settings.inbox)
        self.state = _prepare_state(settings.state)
        self._lock_file = _lock(self.state)
        self.ledger = Ledger(self.state, lambda path: look(self.inbox, path), clock)
        self.ledger_moved_aside = self.ledger.moved_aside
        self.started = time.monotonic()
        model_id = self.ledger.register_model(self.model.file, self.model.labels)
        settling = Settling(round(settings.settle * 1000), clock)
        self._pipeline = Pipeline(
            self.ledger,
            self.model,
            Work(self.inbox, settings.max_bytes, model_id, settling),
            workers=settings.workers or len(os.sched_getaffinity(0)),
            decode_timeout=settings.decode_timeout,
            on_recorded=log_outcomes,
        )
        self._reconciler = Reconciler(self.inbox, self.ledger, self._pipeline.wake, clock)
        self._connections = threading.local()

    @property
    def watch_status(self) -> WatchStatus:
        """How the inbox is watched."""
        return self._reconciler.status

    @property
    def in_flight(self) -> int:
        """How many photos are being worked on."""
        return self._pipeline.in_flight

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own connection for queries."""
        connection: sqlite3.Connection | None = getattr(self._connections, "db", None)
        if connection is None:
            connection = self._connections.db = open_for_reading(self.state)
        return connection

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Watch and classify for as long as the context lasts."""
        if self.ledger_moved_aside:
            log.error(
                "the ledger was damaged and is now %s; a new one is made from the folder", self.ledger_moved_aside
            )
        self._pipeline.start()
        self._reconciler.start()
        try:
            yield
        finally:
            self._reconciler.stop()
            self._pipeline.stop(_STOP_SECONDS)
            self.ledger.close()
            os.close(self._lock_file)


def prepare_inbox(inbox: Path) -> Path:
    """Return the inbox's absolute path; make the folder where only its last part is missing. Raise UsageError."""
    inbox = inbox.absolute()
    try:
        inbox.mkdir()
        log.info("made the inbox %s", inbox)
    except FileExistsError:
        if not inbox.is_dir():
            raise UsageError(f"{inbox}: the inbox is not a folder") from None
    except FileNotFoundError as error:
        raise UsageError(
            f"{inbox}: the inbox cannot be made, as {inbox.parent} is missing; is a disk not mounted?"
        ) from error
    except OSError as error:
        raise UsageError(f"{inbox}: the inbox cannot be made: {error.strerror}") from error
    if not os.access(inbox, os.R_OK | os.X_OK):
        raise UsageError(f"{inbox}: the inbox cannot be read; try: chmod u+rx {inbox}")
    return inbox


def log_outcomes(outcomes: Sequence[Outcome]) -> None:
    """One line for each photo."""
    for outcome in outcomes:
        name = one_line(shown_name(outcome.job.path))
        match outcome:
            case Classified():
                label, score = next(iter(outcome.scores.items()))
                log.info("%s: %s %.3f (%.1f ms)", name, one_line(label), score, outcome.timings.total)
            case Failed():
                log.warning("%s: failed, %s: %s", name, outcome.code, one_line(outcome.message))
            case Waiting() if outcome.job.attempts == 0:
                log.info("%s: waits, %s: %s", name, outcome.code, one_line(outcome.message))


def _prepare_state(state: Path) -> Path:
    state = state.absolute()
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{state}: the state folder cannot be made: {error.strerror}") from error
    return state


def _lock(state: Path) -> int:
    """Make sure that one daemon at a time uses the state folder; the kernel frees the lock however we end."""
    path = state / "dogid.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(f"{path}: the state folder cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise UsageError(f"{state}: another dogid uses this state folder; stop it, or give another --state") from error
    return descriptor
