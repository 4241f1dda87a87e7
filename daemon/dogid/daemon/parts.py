"""The parts of the daemon, made and connected to each other; `daemon/daemon` starts and stops them."""

import sqlite3
import threading
import time
from collections.abc import Sequence

from dogid.clock import Clock
from dogid.daemon.content_checker import ContentChecker
from dogid.daemon.learning_keeper import LearningKeeper, LearningTarget
from dogid.daemon.ledger_monitor import LedgerMonitor
from dogid.daemon.maintenance_thread import MaintenanceThread
from dogid.daemon.model_switch import ModelSwitch
from dogid.daemon.opening import open_all
from dogid.daemon.photo_limits import make_decoder, retry_refused_photos
from dogid.daemon.reconciler import Reconciler
from dogid.daemon.result_log import log_outcomes
from dogid.daemon.running_model import EngineMaker, RunningModel, count_workers
from dogid.daemon.supervisor import Supervisor
from dogid.learning_run.child import LearningProcess
from dogid.ledger import queries
from dogid.ledger.outcomes import Outcome
from dogid.ledger.retention import Retention
from dogid.model.classifier import Model
from dogid.outputs.keeper import OutputKeeper
from dogid.outputs.source import OutputSource
from dogid.pipeline.counters import ResultCounters
from dogid.pipeline.pipeline import Pipeline
from dogid.pipeline.result_signal import ResultSignal
from dogid.settings import Settings
from dogid.shelf.open_model import FoundModel
from dogid.system.sd_notify import Notifier


class DaemonParts:
    """What a daemon consists of, but for the HTTP server. Nothing here has started."""

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
            self.ledger,
            self.inbox,
            clock,
            retention_of(settings),
            notify_pending,
            takes_uploads=settings.allow_upload,
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
        self.retry_refused_photos()

    def _learning_target(self) -> LearningTarget:
        return LearningTarget(
            settings=lambda: self.settings,
            model=lambda: self.model,
            found_model=lambda: self.found_model,
            reader=self.reader,
            note_ledger_error=self.note_ledger_error,
            is_idle=lambda: self.pipeline.in_flight == 0 and not queries.has_due_photos(self.reader()),
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
            read_health=lambda: self.supervisor.health,
            max_bytes=lambda: self.settings.max_bytes,
            track_decoding=self.in_progress.track_request,
        )

    def retry_refused_photos(self) -> None:
        """Have photos that failed for their size be tried again, where the settings allow larger ones by now."""
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

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own connection for queries."""
        return self._ledger_monitor.reader()

    def note_ledger_error(self, error: Exception) -> None:
        """Consider an error that a reader of the ledger met: a damaged row is repaired, a damaged ledger unhealthy."""
        self._ledger_monitor.note_error(error)


def retention_of(settings: Settings) -> Retention:
    """Return the rules of retention that settings have."""
    return Retention(settings.retain_days, settings.retain_rows)
