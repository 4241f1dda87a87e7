"""Learning without being asked, by the setting `learning`: begins runs, and in `auto` goes back from a worse model.

It has no thread of its own: `look` comes after each health check, and work that takes time is done by another thread.
"""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock
from dogid.errors import DogidError
from dogid.learning_run.child import LearningProcess
from dogid.ledger import queries
from dogid.model.classifier import Model
from dogid.settings import LEARNING_AUTO, Settings
from dogid.shelf.open_model import FoundModel

log = logging.getLogger(__name__)

NEEDED_CORRECTIONS = 10
"""Since the last run. Fewer rarely pass the gate, which needs 7 gained; more let the model be wrong for longer."""
QUIET_MS = 10 * 60 * 1000
"""Since the last word. Shorter begins while someone still corrects, and then again; longer, later."""


@dataclass(frozen=True, slots=True)
class LearningTarget:
    """What of the daemon this needs."""

    settings: Callable[[], Settings]
    model: Callable[[], Model]
    found_model: Callable[[], FoundModel]
    reader: Callable[[], sqlite3.Connection]
    note_ledger_error: Callable[[Exception], None]
    is_idle: Callable[[], bool]
    roll_back: Callable[[], None]
    run_soon: Callable[[Callable[[], None]], None]
    """Has another thread do something."""


class LearningKeeper:
    """Decides when to learn, and when to go back."""

    def __init__(self, state: Path, process: LearningProcess, clock: Clock, target: LearningTarget) -> None:
        """Set up; process: starts the daemon's runs, these and those that people ask for."""
        self._state = state
        self._process = process
        self._clock = clock
        self._target = target
        self._begun_at: int | None = None  # of the run that goes on
        self._considered = self._judged = 0  # the newest reviews by which nothing was to be done

    def look(self) -> None:
        """Begin a run, or have the active model judged, where there is reason to; cheap where there is none."""
        try:
            self._begin_or_judge()
        except (DogidError, OSError, sqlite3.Error) as error:
            self._target.note_ledger_error(error)
            log.warning("cannot see whether to learn: %s", error)

    def _begin_or_judge(self) -> None:
        chosen = self._target.settings()
        if not chosen.learns or self._target.model().file.network is None:
            return
        if self._process.is_running():
            return
        if self._begun_at is not None:
            self._report_end(self._begun_at)
            self._begun_at = None
        newest = queries.find_newest_review(self._target.reader())
        if newest is None:
            return
        number, at = newest
        if chosen.learning == LEARNING_AUTO and number != self._judged and self._is_watched():
            self._judged = number
            self._target.run_soon(self._judge)
        is_quiet = not 0 <= self._clock.wall_ms() - at < QUIET_MS  # a time to come is of a clock that was set back
        if number != self._considered and is_quiet and self._target.is_idle():
            self._considered = number
            if self._count_corrections() >= NEEDED_CORRECTIONS:
                self._begin(chosen)

    def _count_corrections(self) -> int:
        """Count the corrections since the last run of any process."""
        from dogid.ledger.reviews import count_corrections_since

        return count_corrections_since(self._target.reader(), self._last_run())

    def _begin(self, chosen: Settings) -> None:
        activate = chosen.learning == LEARNING_AUTO and chosen.model is None
        self._begun_at = self._clock.wall_ms()
        try:
            self._process.start(chosen, activate=activate)
        except DogidError as error:
            log.warning("no learning run was begun: %s", error)
            self._begun_at = None
            return
        log.info("learning from new corrections, as learning = %s says", chosen.learning)

    def _report_end(self, begun_at: int) -> None:
        from dogid.learning_run.learning_state import describe_run, read_moment

        last = self._process.last_run()
        if last.error is not None:
            log.warning("%s", describe_run({"error": last.error}))
        elif last.report is None or read_moment(last.report.get("at")) < begun_at:
            log.warning("the learning run ended without a report")
        else:
            log.warning("%s", describe_run(last.report))

    def _last_run(self) -> int:
        """Return when the last run, of any process, read what was said; in milliseconds since 1970, 0 for never."""
        from dogid.learning_run.last_report import read_report
        from dogid.learning_run.learning_state import read_moment

        report = read_report(self._state) or {}
        seconds = report.get("seconds", 0)
        return read_moment(report.get("at")) - round(1000 * seconds if isinstance(seconds, int | float) else 0)

    def _is_watched(self) -> bool:
        """Whether a learned model runs because it was activated."""
        from dogid.learning_run.after_activation import is_learned

        return self._target.found_model().entry is not None and is_learned(self._target.model().file)

    def _judge(self) -> None:
        """Go back to the model before where people's words show it to be better."""
        try:
            reason = self._find_worse()
            if reason is None:
                return
            model = self._target.model().file
            log.warning("model %s is worse than the one before, which is activated again: %s", model.name, reason)
            self._target.roll_back()
        except (DogidError, OSError, ValueError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error):
                self._target.note_ledger_error(error)
            log.warning("cannot go back from the active model, trying again later: %s", error)
            self._judged = 0
            return
        from dogid.learning_run.learning_state import note_rollback

        note_rollback(self._state, model.name, model.sha256, reason, self._clock.wall_ms())

    def _find_worse(self) -> str | None:
        """Return why the active model is worse than the one before; None where that is not shown."""
        from dogid.learning_run.after_activation import judge_activation
        from dogid.shelf.pointer import read_pointer

        pointer, model = read_pointer(self._state), self._target.model()
        if pointer.active is None or pointer.active.sha256 != model.file.sha256:
            return None
        found = judge_activation(self._target.reader(), model, pointer.active, pointer.previous, self._state)
        if found is None or not found.is_worse:
            return None
        return (
            f"{found.better_before} photos reviewed since are answered correctly by the model before alone, "
            f"{found.better_now} by this one alone (evidence {found.e_value:.3g})"
        )
