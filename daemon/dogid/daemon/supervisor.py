"""Whether the daemon is well: its threads, the reference photo, inbox, disks and ledger; it is reported."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from dogid.conditions import LEDGER_DAMAGED
from dogid.daemon.condition_monitor import ConditionMonitor
from dogid.daemon.health_check import INTERVAL_SECONDS, HealthCheck
from dogid.daemon.ledger_monitor import READ_ERRORS, LedgerMonitor
from dogid.daemon.opening import Opened
from dogid.daemon.overall_health import judge_health
from dogid.daemon.reconciler import Reconciler
from dogid.daemon.running_model import RunningModel
from dogid.daemon.status_notifier import StatusNotifier
from dogid.file_names import one_line
from dogid.pipeline.pipeline import Pipeline
from dogid.pipeline.result_signal import ResultSignal
from dogid.settings import Settings
from dogid.status import NOT_CHECKED, Health, WatchStatus
from dogid.system.sd_notify import Notifier


class Part(Protocol):
    """A part of the daemon that has a thread."""

    @property
    def is_alive(self) -> bool:
        """Whether the thread lives."""


class Supervisor:
    """Combines what is known of the daemon's parts, and reports it."""

    def __init__(
        self,
        opened: Opened,
        pipeline: Pipeline,
        reconciler: Reconciler,
        parts: Mapping[str, Part],
        running_model: RunningModel,
        ledger: LedgerMonitor,
        notifier: Notifier,
        settings: Callable[[], Settings],
        url: Callable[[], str],
        on_checked: Callable[[], None],
    ) -> None:
        """Set up, without starting a thread.

        parts: those whose threads must live, by name; settings returns those in use, url the web server's;
        on_checked is called after each round of the health check.
        """
        self._opened = opened
        self._pipeline = pipeline
        self._parts = parts
        self._running_model = running_model
        self._ledger = ledger
        self._notifier = notifier
        self._settings = settings
        self._after_check = on_checked
        self._interval = _choose_interval(notifier)
        self.health_check = HealthCheck(
            pipeline, self._find_failure, self._report_healthy, self._decode_timeout, self._interval, self._on_checked
        )
        self._conditions = ConditionMonitor(
            opened.inbox,
            opened.state,
            lambda: reconciler.status,
            self._waiting_for_inbox_since,
            lambda: opened.ledger_wait.since,
            lambda: reconciler.inbox_identity,
            lambda: running_model.describe() | _describe_settings(settings(), url()),
        )

    def start(self, results: ResultSignal) -> None:
        """Start the health check, and to keep the line up to date that `systemctl status` shows."""
        self.health_check.start()
        if self._notifier.address is not None:
            StatusNotifier(results, lambda: self._notifier.status(self.status_line())).start()

    def request_stop(self) -> None:
        """Start no further round of the health check."""
        self.health_check.request_stop()

    def close(self) -> None:
        """Note no condition any more."""
        self._conditions.close()

    @property
    def health(self) -> Health:
        """Whether every worker has lately classified the reference photo correctly and all threads live, or why not.

        A problem of the inbox or the disk is named, too, and is unhealthy where it lasts and stops all photos.
        """
        return judge_health(
            self.health_check.health,
            self.watch_status,
            self._opened.state,
            is_damaged=self._ledger.is_damaged,
            model_problem=self._running_model.found.problem,
        )

    @property
    def watch_status(self) -> WatchStatus:
        """How the inbox is watched, and what keeps photos from being found or recorded."""
        return self._conditions.watch_status()

    def status_line(self) -> str:
        """How the daemon is doing, for `systemctl status`."""
        try:
            counts = self._ledger.count_photos()
        except READ_ERRORS as error:
            return self._ledger.explain_error(error)
        numbers = ", ".join(f"{number} {status}" for status, number in counts.items())
        problem = self.watch_status.problem
        more = "" if problem is None else f"; {one_line(problem)}"
        return f"{numbers}; {self._pipeline.in_flight} in progress; model {self._running_model.model.file.name}{more}"

    def note_conditions(self) -> None:
        """Look at inbox and disks, log what has changed, and keep it where the commands find it."""
        self._conditions.check(self._health_problem)

    def extend_watchdog(self) -> None:
        """Have systemd wait long enough for a photo to be given up and recorded."""
        if self._notifier.watchdog_seconds is not None:
            needed = self._decode_timeout() + 3 * self._interval
            self._notifier.set_watchdog_timeout(max(needed, self._notifier.watchdog_seconds))

    def _on_checked(self) -> None:
        with self._opened.ledger_wait:
            self.note_conditions()
            self._after_check()

    def _decode_timeout(self) -> float:
        return self._settings().decode_timeout

    def _health_problem(self) -> str | None:
        health = self.health
        return None if health.ok or health.reason == NOT_CHECKED else health.reason

    def _find_failure(self) -> str | None:
        """Return which part has ended that must live, or why the ledger cannot be used; None where all is well."""
        if self._ledger.is_damaged:
            return LEDGER_DAMAGED
        for name, part in self._parts.items():
            if not part.is_alive:
                return f"the {name} has ended"
        return self._ledger.find_problem()

    def _report_healthy(self) -> None:
        self._notifier.ping_watchdog()
        self._notifier.status(self.status_line())

    def _waiting_for_inbox_since(self) -> float | None:
        """Since when a thread has been waiting for the inbox, in monotonic seconds; None where none is."""
        waits = self._opened.inbox_wait.since, self._pipeline.reading_since
        return min((since for since in waits if since is not None), default=None)


def _choose_interval(notifier: Notifier) -> float:
    """Return the seconds between rounds: several within the time that systemd waits for a ping."""
    watchdog = notifier.watchdog_seconds
    return INTERVAL_SECONDS if watchdog is None else min(INTERVAL_SECONDS, watchdog / 4)


def _describe_settings(settings: Settings, url: str) -> dict[str, Any]:
    """Return what commands beside the daemon must know of its settings, and no secret, as entries of its condition."""
    config = None if settings.config_file is None else str(settings.config_file)
    return {"thresholds": dict(settings.thresholds), "config": config, "host": settings.host, "url": url}
