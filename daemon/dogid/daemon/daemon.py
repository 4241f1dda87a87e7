"""The daemon: makes its parts, starts them in order, and stops them again."""

import contextlib
import dataclasses
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dogid.clock import Clock
from dogid.conditions import ledger_moved_aside, restart_by_hand
from dogid.daemon.content_checker import ContentChecker
from dogid.daemon.interrupted_photos import suspect_interrupted_photos
from dogid.daemon.learning_keeper import LearningKeeper, LearningTarget
from dogid.daemon.ledger_monitor import LedgerMonitor
from dogid.daemon.maintenance_thread import MaintenanceThread
from dogid.daemon.model_switch import ModelSwitch
from dogid.daemon.opening import open_all
from dogid.daemon.photo_limits import change_limits, make_decoder, retry_refused_photos
from dogid.daemon.reconciler import Reconciler
from dogid.daemon.result_log import log_outcomes
from dogid.daemon.running_model import EngineMaker, RunningModel, count_workers
from dogid.daemon.supervisor import Supervisor
from dogid.errors import DogidError
from dogid.learning_run.child import LearningProcess
from dogid.ledger import queries
from dogid.ledger.outcomes import Outcome
from dogid.ledger.retention import Retention
from dogid.ledger.review_writer import Word
from dogid.model.classifier import Model
from dogid.outputs.keeper import OutputKeeper
from dogid.outputs.source import OutputSource
from dogid.pipeline.counters import ResultCounters
from dogid.pipeline.pipeline import Pipeline
from dogid.pipeline.result_signal import ResultSignal
from dogid.settings import Settings
from dogid.shelf.open_model import FoundModel, choose_model
from dogid.status import Health, WatchStatus
from dogid.system.sd_notify import Notifier

log = logging.getLogger(__name__)

# Raising these lets a hang delay the stop for longer; lowering them has more photos classified again at the next start.
_FINISH_SECONDS = 1.2  # for workers to finish their photo; what they do not finish stays pending
_STOP_SECONDS = 3.0  # for everything; `commands/run` ends the process soon after
# For the workers' first interpreters. Raising this hides a hang for longer; lowering it fails on the slowest boards.
_FIRST_ROUND_SECONDS = 60.0
_NEED_RESTART = (
    "inbox", "state", "host", "port", "token_file", "insecure_no_auth", "allowed_hosts", "max_upload",
)  # fmt: skip
"""Settings that a running daemon keeps."""


class Daemon:
    """A daemon that is set up but for the HTTP server. Use `running` to start and stop it."""

    def __init__(self, settings: Settings, clock: Clock | None = None, notifier: Notifier | None = None) -> None:
        """Load the model and open the ledger, without starting a thread.

        Raise UsageError where a folder or file that the settings name cannot be used, or another daemon uses the state
        folder; DogidError where the model fails its self-test, or the ledger cannot be written.
        """
        clock, notifier = clock or Clock(), notifier or Notifier()
        self.settings = settings
        self._stopping = threading.Event()

        # what is in use
        self.decoder = make_decoder(settings)
        self._opened = opened = open_all(settings, clock, notifier)
        self.inbox, self.state, self.ledger, self.in_progress = (
            opened.inbox, opened.state, opened.ledger, opened.in_progress,
        )  # fmt: skip
        self.started = time.monotonic()

        # from a pending photo to its result
        self.result_signal = ResultSignal()
        self.counters = ResultCounters()
        self.ledger.on_foreign_change = self.result_signal.announce
        engine_maker = EngineMaker(opened, self.decoder, clock)
        engine = engine_maker.make(opened.model.model, settings)
        self.pipeline = Pipeline(self.ledger, engine, workers=count_workers(settings), on_recorded=self._report)
        notify_pending = self.pipeline.mailbox.notify_pending

        # what keeps the ledger true to the inbox
        self._reconciler = Reconciler(
            self.inbox, self.ledger, notify_pending, clock, opened.inbox_wait, opened.ledger_wait
        )
        self._content_checker = ContentChecker(
            self.inbox, self.ledger, notify_pending, lambda: self.pipeline.in_flight > 0
        )
        self._maintenance_thread = MaintenanceThread(
            self.ledger, self.inbox, clock, _retention(settings), notify_pending
        )
        self._ledger_monitor = LedgerMonitor(
            opened, lambda: self.settings.thresholds, self._maintenance_thread.inspect_soon
        )

        # what changes the model
        self.running_model = RunningModel(
            opened.model, engine, engine_maker, self.pipeline, lambda: self.supervisor.note_conditions()
        )
        self._model_switch = ModelSwitch(
            self.state,
            clock,
            lambda: self.settings,
            lambda opened, commit: self.running_model.adopt(opened, self.settings, commit),
        )
        self.learning = LearningProcess(self.state, self.inbox)
        self._learning_keeper = LearningKeeper(self.state, self.learning, clock, self._learning_target())

        # what passes results on
        self.outputs = OutputKeeper(self._output_source(clock))

        # what looks after all of these
        self.supervisor = Supervisor(
            opened,
            self.pipeline,
            self._reconciler,
            {
                "coordinator": self.pipeline,
                "reconciler": self._reconciler,
                "content checker": self._content_checker,
                "maintenance": self._maintenance_thread,
            },
            self.running_model,
            self._ledger_monitor,
            notifier,
            lambda: self.settings,
            lambda: self.outputs.page_url,
            on_checked=self._learning_keeper.look,
        )
        self._retry_refused_photos()

    def _learning_target(self) -> LearningTarget:
        return LearningTarget(
            settings=lambda: self.settings,
            model=lambda: self.model,
            found_model=lambda: self.found_model,
            reader=self.reader,
            note_ledger_error=self.note_ledger_error,
            is_idle=lambda: self.in_flight == 0 and not queries.has_due_photos(self.reader()),
            roll_back=self.roll_back_model,
            run_soon=self._maintenance_thread.run_soon,
        )

    def _output_source(self, clock: Clock) -> OutputSource:
        return OutputSource(
            state=self.state,
            inbox=self.inbox,
            clock=clock,
            decoder=self.decoder,
            signal=self.result_signal,
            reader=self.reader,
            list_labels=lambda: self.model.labels,
            read_health=lambda: self.health,
            max_bytes=lambda: self.settings.max_bytes,
            track_decoding=self.in_progress.track_request,
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Watch and classify for as long as the context lasts.

        Raise DogidError where the model does not work in every worker, or the machine gives no threads for them.
        """
        if self.ledger_moved_aside:
            log.error("%s", ledger_moved_aside(str(self.ledger_moved_aside), self.salvaged_results))
        prepared = self.outputs.prepare(self.settings)
        self.log_model()
        if not self.running_model.engine.reference_photo.is_golden:
            log.info("the model carries no golden photo: the workers are compared with its own first answer")
        self.supervisor.extend_watchdog()
        suspect_interrupted_photos(self.in_progress, self.ledger)
        first_round = self.pipeline.start()
        self._content_checker.start()
        self._reconciler.start()
        self._maintenance_thread.start()
        try:
            problem = self.pipeline.wait_for_health_round(first_round, _FIRST_ROUND_SECONDS)
            if problem is not None:
                raise DogidError(f"{self.model.file.path}: the model does not work in every worker: {problem}")
            self.supervisor.start(self.result_signal)
            self.outputs.start(prepared)
            yield
        finally:
            self._stop(time.monotonic() + _STOP_SECONDS)

    def _stop(self, deadline: float) -> None:
        """Stop all parts at once; wait until deadline (a `time.monotonic()`) at most, then leave what hangs."""
        self._stopping.set()
        self.result_signal.close()
        threads = self._maintenance_thread, self._content_checker, self._reconciler
        self.outputs.request_stop()
        self.learning.request_stop()
        self.supervisor.request_stop()
        for thread in threads:
            thread.request_stop()
        self.pipeline.stop(_FINISH_SECONDS)
        for thread in threads:
            thread.join(deadline)
        self.outputs.join(deadline)
        self.learning.join(deadline)
        self.decoder.close()
        self.supervisor.close()
        self._opened.close()

    @property
    def is_stopping(self) -> bool:
        """Whether the daemon has begun to stop."""
        return self._stopping.is_set()

    def reload(self, settings: Settings) -> None:
        """Switch to other settings and their model, without dropping a photo.

        Raise DogidError where they are rejected: then all stays as it is.
        """
        prepared = self.outputs.prepare(settings)
        with self._model_switch.alone():
            opened = choose_model(settings, embeddings=settings.learns)
            if opened.found.problem is not None and self.found_model.problem is None:
                raise DogidError(opened.found.problem)  # the model in memory is the better one
            self.running_model.adopt(opened, settings)
            kept = {name: getattr(self.settings, name) for name in _NEED_RESTART}
            for name, value in kept.items():
                if getattr(settings, name) != value:
                    log.warning("%s stays %s until a restart%s", name, value, restart_by_hand(self.state))
            self.settings = dataclasses.replace(settings, **kept)
        self.outputs.start(prepared)
        change_limits(self.decoder, settings)
        self._maintenance_thread.change_rules(_retention(self.settings))
        self.ledger.keep_versions(settings.keep_versions)
        self.supervisor.extend_watchdog()
        self.supervisor.note_conditions()  # commands find other thresholds there
        self._retry_refused_photos()

    def _retry_refused_photos(self) -> None:
        notify = self.pipeline.mailbox.notify_pending
        error = retry_refused_photos(self._opened, self.decoder, self.settings, notify)
        if error is not None:
            self.note_ledger_error(error)

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        """Announce, count and log outcomes that are on disk."""
        self.result_signal.announce()
        self.counters.add(outcomes)
        log_outcomes(outcomes)

    @property
    def model(self) -> Model:
        """The model in use; a reload replaces it."""
        return self.running_model.model

    @property
    def found_model(self) -> FoundModel:
        """Why the model is in use."""
        return self.running_model.found

    def activate_model(self, name: str) -> None:
        """Have the model of this name on the shelf be the active one. Raise as `ModelSwitch.activate`."""
        self._model_switch.activate(name)
        self.running_model.log_change("activated", self.settings)

    def roll_back_model(self) -> None:
        """Have the model before the active one be active again. Raise as `ModelSwitch.activate`."""
        self._model_switch.roll_back()
        self.running_model.log_change("rolled back", self.settings)

    def answer_model_request(self) -> bool:
        """Change the model where a command has asked for it; return whether one has asked."""
        model = self.model
        if not self._model_switch.answer_requests():
            return False
        if self.model is not model:
            self.running_model.log_change("activated", self.settings)
        return True

    def log_model(self) -> None:
        """Log what the model is fed, what may make its answers wrong, and why it is not the active one."""
        self.running_model.log(self.settings)

    @property
    def health(self) -> Health:
        """As `Supervisor.health`."""
        return self.supervisor.health

    @property
    def watch_status(self) -> WatchStatus:
        """How the inbox is watched, and what keeps photos from being found or recorded."""
        return self.supervisor.watch_status

    def status_line(self) -> str:
        """How the daemon is doing, for `systemctl status`."""
        return self.supervisor.status_line()

    @property
    def in_flight(self) -> int:
        """How many photos are being classified."""
        return self.pipeline.in_flight

    @property
    def ledger_moved_aside(self) -> Path | None:
        """Where the ledger that was found damaged at the start is kept; None where it was sound."""
        return self.ledger.moved_aside

    @property
    def salvaged_results(self) -> int | None:
        """How many results the present ledger has of the one that was moved aside; None where nothing could be read."""
        return None if self.ledger.salvaged is None else self.ledger.salvaged.results

    @property
    def ledger_changes(self) -> int:
        """A number that grows with every change of the ledger."""
        return self.ledger.changes

    def review(self, ids: Sequence[int], word: Word) -> int:
        """Write a person's word on results, by id, and announce it; return how many words were written.

        All get it or none. Raise UnknownResultError, or NoAnswerError.
        """
        written = self.ledger.review(ids, word)
        self.result_signal.announce()
        return written

    def review_training_photos(self, photos: Mapping[str, str], word: Word) -> int:
        """Write a person's word on photos that a model file carries, by content, with their labels in the file.

        Return how many words were written.
        """
        return self.ledger.review_training_photos(photos, word)

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own connection for queries."""
        return self._ledger_monitor.reader()

    def note_ledger_error(self, error: Exception) -> None:
        """Consider an error that a reader of the ledger met: a damaged row is repaired, a damaged ledger unhealthy."""
        self._ledger_monitor.note_error(error)


def _retention(settings: Settings) -> Retention:
    return Retention(settings.retain_days, settings.retain_rows)
