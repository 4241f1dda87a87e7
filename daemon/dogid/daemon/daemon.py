"""The daemon: makes its parts, starts them in order, and stops them again."""

import contextlib
import dataclasses
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dogid.clock import Clock
from dogid.conditions import LEDGER_DAMAGED, ledger_moved_aside, ledger_unreadable, restart_by_hand
from dogid.daemon.condition_monitor import ConditionMonitor
from dogid.daemon.content_checker import ContentChecker
from dogid.daemon.folders import (
    LOCK_FILE,
    claim_state_path,
    lock_state,
    prepare_inbox,
    prepare_state,
    remove_new_state,
)
from dogid.daemon.health_check import INTERVAL_SECONDS, HealthCheck
from dogid.daemon.learning_keeper import LearningKeeper, LearningTarget
from dogid.daemon.maintenance_thread import MaintenanceThread
from dogid.daemon.model_log import log_model, log_model_change
from dogid.daemon.model_switch import ModelSwitch
from dogid.daemon.overall_health import judge_health
from dogid.daemon.reconciler import Reconciler
from dogid.daemon.result_log import log_outcomes
from dogid.daemon.status_notifier import StatusNotifier
from dogid.daemon.unfinished_restore import finish_restore
from dogid.daemon.wait_clock import WaitClock
from dogid.decoding.byte_budget import ByteBudget, choose_capacity
from dogid.decoding.decoder import Decoder
from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line
from dogid.inbox.mounts import file_system_type, has_stable_inodes
from dogid.inbox.scan import FoundFile, find_file
from dogid.learning_run.child import LearningProcess
from dogid.ledger import queries
from dogid.ledger.damage import DamagedRowError, is_damage, is_undecodable
from dogid.ledger.ledger import Ledger
from dogid.ledger.ledger_files import LedgerFiles
from dogid.ledger.outcomes import Outcome
from dogid.ledger.readers import Readers
from dogid.ledger.retention import Retention
from dogid.ledger.review_writer import Word
from dogid.model.classifier import Model
from dogid.model.reference_photo import make_reference_photo
from dogid.outputs.keeper import OutputKeeper
from dogid.outputs.source import OutputSource
from dogid.photo.decode import limit_pixels
from dogid.pipeline.counters import ResultCounters
from dogid.pipeline.engine import Engine
from dogid.pipeline.in_progress import InProgress
from dogid.pipeline.photo_processor import PhotoProcessor
from dogid.pipeline.pipeline import Pipeline
from dogid.pipeline.result_signal import ResultSignal
from dogid.pipeline.retry_policy import RetryPolicy
from dogid.quantities import count_of
from dogid.settings import Settings
from dogid.shelf.listing import describe_choice
from dogid.shelf.open_model import FoundModel, OpenedModel, choose_model
from dogid.status import NOT_CHECKED, Health, WatchStatus
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
        self._clock = clock or Clock()
        self._notifier = notifier or Notifier()
        self.settings = settings
        limit_pixels(settings.max_pixels)
        finish_restore(settings.state)  # the model may lie in the state folder
        had_state = settings.state.exists()
        self.state = prepare_state(settings.state, settings.inbox.absolute())
        self._lock_file = lock_state(self.state)
        self._inbox_wait, self._ledger_wait = WaitClock(), WaitClock()
        try:
            # once it is certain that no other process has the state folder, and changes which model is active
            opened = choose_model(settings, embeddings=settings.learns)
            self.inbox = prepare_inbox(settings.inbox)
        except UsageError:
            os.close(self._lock_file)
            if not had_state:
                remove_new_state(self.state)  # the inbox was probably misspelt, and the folder is of no use
            raise
        self.model: Model = opened.model
        self.found_model: FoundModel = opened.found
        try:
            with self._notifier.extend_start_timeout("opening the ledger"):
                self.ledger = Ledger(
                    self.state,
                    self._find_file,
                    self._clock,
                    stable_inodes=has_stable_inodes(file_system_type(self.inbox)),
                    keep_versions=settings.keep_versions,
                )
                self.in_progress = InProgress(self.state)
        except (sqlite3.OperationalError, OSError) as error:
            # not wrong usage: a service manager should try again, since room may come back
            raise DogidError(
                f"{self.state}: the ledger cannot be written: {error}; is the disk full, or the folder another user's?"
            ) from error
        self.ledger_moved_aside = self.ledger.moved_aside
        self.salvaged_results = None if self.ledger.salvaged is None else self.ledger.salvaged.results
        self._readers = Readers(
            self.state, lambda: self._maintenance_thread.inspect_soon(), lambda: self.settings.thresholds
        )
        self.started = time.monotonic()
        budget = ByteBudget(choose_capacity(settings.memory))
        self.decoder = Decoder(budget, settings.max_pixels, settings.decode_timeout)
        self._engine = self._make_engine(settings, self.model)
        self.result_signal = ResultSignal()
        self.ledger.on_foreign_change = self.result_signal.announce
        self.counters = ResultCounters()
        self._pipeline = Pipeline(self.ledger, self._engine, workers=_worker_count(settings), on_recorded=self._report)
        self._reconciler = Reconciler(
            self.inbox,
            self.ledger,
            self._pipeline.mailbox.notify_pending,
            self._clock,
            self._inbox_wait,
            self._ledger_wait,
        )
        self._content_checker = ContentChecker(
            self.inbox, self.ledger, self._pipeline.mailbox.notify_pending, lambda: self._pipeline.in_flight > 0
        )
        self._health_check = HealthCheck(
            self._pipeline,
            self._thread_failure,
            self._report_healthy,
            lambda: self.settings.decode_timeout,
            _health_interval(self._notifier),
            on_checked=self._look_around,
        )
        self._claim = claim_state_path(self.state)  # a restore looks for it
        self._ledger_files = LedgerFiles(self.state, (LOCK_FILE,))
        self._conditions = ConditionMonitor(
            self.inbox,
            self.state,
            lambda: self._reconciler.status,
            self._waiting_for_inbox_since,
            lambda: self._ledger_wait.since,
            lambda: self._reconciler.inbox_identity,
            self._describe_usage,
        )
        self._maintenance_thread = MaintenanceThread(
            self.ledger, self.inbox, self._clock, _retention(self.settings), self._pipeline.mailbox.notify_pending
        )
        self._model_switch = ModelSwitch(
            self.state,
            self._clock,
            lambda: self.settings,
            lambda opened, commit: self._adopt(opened, self.settings, commit),
        )
        target = LearningTarget(
            settings=lambda: self.settings,
            model=lambda: self.model,
            found_model=lambda: self.found_model,
            reader=self.reader,
            is_idle=lambda: self.in_flight == 0 and not queries.has_due_photos(self.reader()),
            roll_back=self.roll_back_model,
            run_soon=self._maintenance_thread.run_soon,
        )
        self.learning = LearningProcess(self.state, self.inbox)
        self._learning_keeper = LearningKeeper(self.state, self.learning, self._clock, target)
        self.outputs = self._make_outputs()
        self._stopping = threading.Event()
        self._retry_refused_photos()

    def _make_outputs(self) -> OutputKeeper:
        source = OutputSource(
            state=self.state,
            inbox=self.inbox,
            clock=self._clock,
            decoder=self.decoder,
            signal=self.result_signal,
            reader=self.reader,
            list_labels=lambda: self.model.labels,
            read_health=lambda: self.health,
            max_bytes=lambda: self.settings.max_bytes,
            track_decoding=self.in_progress.track_request,
        )
        return OutputKeeper(source)

    def _find_file(self, path: bytes) -> FoundFile | None:
        """Return what is in the inbox at a path relative to it, for the ledger."""
        with self._inbox_wait:
            return find_file(self.inbox, path)

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        """Announce, count and log outcomes that are on disk."""
        self.result_signal.announce()
        self.counters.add(outcomes)
        log_outcomes(outcomes)

    def _suspect_interrupted_photos(self) -> None:
        """Have the photos that were in progress when the daemon died wait for their turn, one after the other."""
        interrupted = self.in_progress.left_over
        if self.in_progress.left_requests:  # which rather was the cause: theirs is no photo of the inbox
            log.warning("the daemon died while it decoded a photo of a request (/classify, /?file= or a thumbnail)")
            interrupted = []
        suspects = self.in_progress.suspects
        self.ledger.record_interruptions(interrupted, suspects)
        if suspects:
            log.warning(
                "the daemon died, perhaps of one of %d photos; until they are tried there is one worker", len(suspects)
            )

    def _make_engine(self, settings: Settings, model: Model) -> Engine:
        model_id = self.ledger.register_model(model.file.name, model.file.sha256, model.labels)
        retry_policy = RetryPolicy(round(settings.settle * 1000), self._clock)
        processor = PhotoProcessor(
            self.inbox, settings.max_bytes, model_id, retry_policy, self.in_progress, self.decoder
        )
        return Engine(model, processor, make_reference_photo(model), settings.decode_timeout)

    @property
    def health(self) -> Health:
        """Whether every worker has lately classified the reference photo correctly and all threads live, or why not.

        A problem of the inbox or the disk is named, too, and is unhealthy where it lasts and stops all photos.
        """
        return judge_health(
            self._health_check.health,
            self.watch_status,
            self.state,
            is_damaged=self.ledger.repairer.is_damaged,
            model_problem=self.found_model.problem,
        )

    def _look_around(self) -> None:
        """Do what is due after each round of the health check."""
        with self._ledger_wait:
            self._conditions.check(self._health_problem)
            try:
                self._learning_keeper.look()
            except (DogidError, OSError, sqlite3.DatabaseError) as error:
                self.note_ledger_error(error)
                log.warning("cannot see whether to learn: %s", error)

    def _health_problem(self) -> str | None:
        health = self.health
        return None if health.ok or health.reason == NOT_CHECKED else health.reason

    def _waiting_for_inbox_since(self) -> float | None:
        """Since when a thread has been waiting for the inbox, in monotonic seconds; None where none is."""
        waits = self._inbox_wait.since, self._pipeline.reading_since
        return min((since for since in waits if since is not None), default=None)

    def status_line(self) -> str:
        """How the daemon is doing, for `systemctl status`."""
        try:
            with self._ledger_wait:
                counts = queries.count_by_status(self.reader())
        except (sqlite3.DatabaseError, UsageError) as error:
            self.note_ledger_error(error)
            return LEDGER_DAMAGED if self.ledger.repairer.is_damaged else one_line(str(error))
        numbers = ", ".join(f"{number} {state}" for state, number in counts.items())
        problem = self.watch_status.problem
        more = "" if problem is None else f"; {one_line(problem)}"
        return f"{numbers}; {self.in_flight} in progress; model {self.model.file.name}{more}"

    def reload(self, settings: Settings) -> None:
        """Switch to other settings and their model, without dropping a photo.

        Raise DogidError where they are rejected: then all stays as it is.
        """
        prepared = self.outputs.prepare(settings)
        with self._model_switch.alone():
            opened = choose_model(settings, embeddings=settings.learns)
            if opened.found.problem is not None and self.found_model.problem is None:
                raise DogidError(opened.found.problem)  # the model in memory is the better one
            self._adopt(opened, settings)
            kept = {name: getattr(self.settings, name) for name in _NEED_RESTART}
            for name, value in kept.items():
                if getattr(settings, name) != value:
                    log.warning("%s stays %s until a restart%s", name, value, restart_by_hand(self.state))
            self.settings = dataclasses.replace(settings, **kept)
        self.outputs.start(prepared)
        limit_pixels(settings.max_pixels)
        self.decoder.budget.change_capacity(choose_capacity(settings.memory))
        self.decoder.max_pixels, self.decoder.seconds = settings.max_pixels, settings.decode_timeout
        self._maintenance_thread.change_rules(_retention(self.settings))
        self.ledger.keep_versions(settings.keep_versions)
        self._extend_watchdog()
        self._conditions.check(self._health_problem)  # commands find other thresholds there
        self._retry_refused_photos()

    def _retry_refused_photos(self) -> None:
        """Have photos tried again that were too large for limits that are higher now."""
        limits = {
            "memory": self.decoder.budget.capacity,
            "max_pixels": self.settings.max_pixels,
            "max_bytes": self.settings.max_bytes,
            "decode_timeout": round(self.settings.decode_timeout * 1000),
        }
        try:
            with self._ledger_wait:
                retried = self.ledger.note_limits(limits)
        except sqlite3.DatabaseError as error:  # the disk is full: the next start or reload does it
            log.warning("photos that were too large are not tried again yet: %s", error)
            self.note_ledger_error(error)
            return
        if retried:
            log.info("a limit was raised: %s, too large before, tried again", count_of(retried, "photo"))
            self._pipeline.mailbox.notify_pending()

    def _adopt(self, opened: OpenedModel, settings: Settings, commit: Callable[[], None] = lambda: None) -> None:
        """Have every worker prove a model, call commit, and switch to the model, without dropping a photo.

        Raise DogidError where a worker refuses it, or what commit raises: then all stays as it is.
        """
        engine = self._make_engine(settings, opened.model)
        # a worker may be busy with a photo, and then makes its new interpreter
        timeout = self.settings.decode_timeout + INTERVAL_SECONDS
        problem = self._pipeline.validate_engine(engine, _worker_count(settings), timeout)
        if problem is not None:
            raise DogidError(f"{opened.model.file.path}: the model does not work in every worker: {problem}")
        try:
            commit()
        except BaseException:
            self._pipeline.forget_engine()
            raise
        self._pipeline.switch_engine(engine, _worker_count(settings))
        self.model, self.found_model, self._engine = opened.model, opened.found, engine
        self._conditions.check(self._health_problem)  # now, and not in the next round: `dogid status` names the model

    def activate_model(self, name: str) -> None:
        """Have the model of this name on the shelf be the active one. Raise as `ModelSwitch.activate`."""
        self._model_switch.activate(name)
        self._log_change("activated")

    def roll_back_model(self) -> None:
        """Have the model before the active one be active again. Raise as `ModelSwitch.activate`."""
        self._model_switch.roll_back()
        self._log_change("rolled back")

    def answer_model_request(self) -> bool:
        """Change the model where a command has asked for it; return whether one has asked."""
        model = self.model
        if not self._model_switch.answer_requests():
            return False
        if self.model is not model:
            self._log_change("activated")
        return True

    def _describe_usage(self) -> dict[str, Any]:
        """Return what commands cannot know by their own settings."""
        text = f"{self.model.file.name}, fed {self.model.input.describe()}"
        choice = describe_choice(self.found_model, self.model.file)
        return {"model": text, "model_choice": choice, "thresholds": dict(self.settings.thresholds)}

    def _log_change(self, what: str) -> None:
        log_model_change(what, self.model)
        self.log_model()

    def note_ledger_error(self, error: Exception) -> None:
        """Consider an error that a reader of the ledger met: a damaged row is repaired, a damaged ledger unhealthy."""
        if isinstance(error, DamagedRowError) or (isinstance(error, sqlite3.Error) and is_undecodable(error)):
            self._maintenance_thread.inspect_soon()
        elif isinstance(error, sqlite3.DatabaseError) and is_damage(error):
            self.ledger.repairer.suspect_damage()

    def _thread_failure(self) -> str | None:
        if self.ledger.repairer.is_damaged:
            return LEDGER_DAMAGED
        parts = {
            "coordinator": self._pipeline.is_alive,
            "reconciler": self._reconciler.is_alive,
            "content checker": self._content_checker.is_alive,
            "maintenance": self._maintenance_thread.is_alive,
        }
        for name, is_alive in parts.items():
            if not is_alive:
                return f"the {name} has ended"
        with self._ledger_wait:  # its disk may hang, and this thread with it
            return self._ledger_files.problem() or self._ledger_problem()

    def _ledger_problem(self) -> str | None:
        """Return why the ledger cannot be read any more; None where it can."""
        try:
            queries.count_by_status(self.reader())
        except (sqlite3.DatabaseError, UsageError) as error:
            self.note_ledger_error(error)
            return LEDGER_DAMAGED if self.ledger.repairer.is_damaged else ledger_unreadable(self.state, str(error))
        return None

    def _report_healthy(self) -> None:
        self._notifier.ping_watchdog()
        self._notifier.status(self.status_line())

    def _extend_watchdog(self) -> None:
        """Have systemd wait long enough for a photo to be given up and recorded."""
        needed = self.settings.decode_timeout + 3 * _health_interval(self._notifier)
        if self._notifier.watchdog_seconds is not None:
            self._notifier.set_watchdog_timeout(max(needed, self._notifier.watchdog_seconds))

    @property
    def watch_status(self) -> WatchStatus:
        """How the inbox is watched, and what keeps photos from being found or recorded."""
        return self._conditions.watch_status()

    @property
    def in_flight(self) -> int:
        """How many photos are being classified."""
        return self._pipeline.in_flight

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

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own connection for queries."""
        return self._readers.connection()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Watch and classify for as long as the context lasts.

        Raise DogidError where the model does not work in every worker, or the machine gives no threads for them.
        """
        if self.ledger_moved_aside:
            log.error("%s", ledger_moved_aside(str(self.ledger_moved_aside), self.salvaged_results))
        prepared = self.outputs.prepare(self.settings)
        self.log_model()
        if not self._engine.reference_photo.is_golden:
            log.info("the model carries no golden photo: the workers are compared with its own first answer")
        self._extend_watchdog()
        self._suspect_interrupted_photos()
        first_round = self._pipeline.start()
        self._content_checker.start()
        self._reconciler.start()
        self._maintenance_thread.start()
        try:
            problem = self._pipeline.wait_for_health_round(first_round, _FIRST_ROUND_SECONDS)
            if problem is not None:
                raise DogidError(f"{self.model.file.path}: the model does not work in every worker: {problem}")
            self._health_check.start()
            self.outputs.start(prepared)
            if self._notifier.address is not None:
                StatusNotifier(self.result_signal, lambda: self._notifier.status(self.status_line())).start()
            yield
        finally:
            self._stop(time.monotonic() + _STOP_SECONDS)

    def log_model(self) -> None:
        """Log what the model is fed, what may make its answers wrong, and why it is not the active one."""
        log_model(self.model, self.found_model, self.settings.thresholds)

    @property
    def is_stopping(self) -> bool:
        """Whether the daemon has begun to stop."""
        return self._stopping.is_set()

    def _stop(self, deadline: float) -> None:
        """Stop all parts at once; wait until deadline (a `time.monotonic()`) at most, then leave what hangs."""
        self._stopping.set()
        self.result_signal.close()
        self.outputs.request_stop()
        self.learning.request_stop()
        for thread in (self._health_check, self._maintenance_thread, self._content_checker, self._reconciler):
            thread.request_stop()
        self._pipeline.stop(_FINISH_SECONDS)
        self._maintenance_thread.join(deadline)
        self._content_checker.join(deadline)
        self._reconciler.join(deadline)
        self.outputs.join(deadline)
        self.learning.join(deadline)
        self.decoder.close()
        self.in_progress.clear()
        self.ledger.close()
        self._conditions.close()
        if self._claim is not None:
            os.close(self._claim)
        os.close(self._lock_file)


def _retention(settings: Settings) -> Retention:
    return Retention(settings.retain_days, settings.retain_rows)


def _worker_count(settings: Settings) -> int:
    return settings.workers or len(os.sched_getaffinity(0))


def _health_interval(notifier: Notifier) -> float:
    """Seconds between rounds: several within the time that systemd waits for a ping."""
    watchdog = notifier.watchdog_seconds
    return INTERVAL_SECONDS if watchdog is None else min(INTERVAL_SECONDS, watchdog / 4)
