"""The daemon: starts its parts in order, has them go by other settings, and stops them again."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.conditions import ledger_moved_aside, restart_by_hand
from dogid.daemon.interrupted_photos import suspect_interrupted_photos
from dogid.daemon.parts import DaemonParts, retention_of
from dogid.daemon.photo_limits import change_limits
from dogid.errors import DogidError
from dogid.settings import Settings
from dogid.shelf.open_model import choose_model
from dogid.status import Health, WatchStatus

if TYPE_CHECKING:
    from dogid.ledger.review_writer import Word

log = logging.getLogger(__name__)

# Raising these lets a hang delay the stop for longer; lowering them has more photos classified again at the next start.
_FINISH_SECONDS = 1.2  # for workers to finish their photo; what they do not finish stays pending
_STOP_SECONDS = 3.0  # for everything; `commands/run` ends the process soon after
# For the workers' first interpreters. Raising this hides a hang for longer; lowering it fails on the slowest boards.
_FIRST_ROUND_SECONDS = 60.0
_NEED_RESTART = (
    "inbox", "state", "host", "port", "token_file", "insecure_no_auth", "allowed_hosts", "max_upload",
    "allow_upload",
)  # fmt: skip
"""Settings that a running daemon keeps."""


class Daemon(DaemonParts):
    """A daemon that is set up but for the HTTP server. Use `running` to start and stop it."""

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
        self._maintenance_thread.change_rules(retention_of(self.settings))
        self.ledger.keep_versions(settings.keep_versions)
        self.supervisor.extend_watchdog()
        self.supervisor.note_conditions()  # commands find other thresholds there
        self.retry_refused_photos()

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

    def review(self, ids: Sequence[int], word: "Word") -> int:
        """Write a person's word on results, by id, and announce it; return how many words were written.

        All get it or none. Raise UnknownResultError, or NoAnswerError.
        """
        written = self.ledger.review(ids, word)
        self.result_signal.announce()
        return written

    def review_training_photos(self, photos: Mapping[str, str], word: "Word") -> int:
        """Write a person's word on photos that a model file carries, by content, with their labels in the file.

        Return how many words were written.
        """
        return self.ledger.review_training_photos(photos, word)
