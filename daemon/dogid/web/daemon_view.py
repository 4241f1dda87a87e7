"""What the web may read of the daemon. `commands/run` passes the daemon itself: neither folder imports the other."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dogid.decoding.decoder import Decoder
from dogid.learning_run.child import LearningProcess
from dogid.ledger.review_writer import Word
from dogid.model.classifier import Model
from dogid.outputs.keeper import OutputKeeper
from dogid.pipeline.counters import ResultCounters
from dogid.pipeline.in_progress import InProgress
from dogid.pipeline.result_signal import ResultSignal
from dogid.settings import Settings
from dogid.shelf.open_model import FoundModel
from dogid.status import Health, WatchStatus


class DaemonView(Protocol):
    """The running daemon, to be read; its model can be changed, and it takes what people say about photos."""

    @property
    def settings(self) -> Settings:
        """The settings in use; a reload replaces them."""

    @property
    def model(self) -> Model:
        """The model in use; a reload replaces it."""

    @property
    def found_model(self) -> FoundModel:
        """Why the model is in use."""

    def activate_model(self, name: str) -> None:
        """Have the model of this name on the shelf be the active one, once every worker has proved it.

        Raise UsageError where there is none, ConflictError where the settings name the model, DogidError where it
        cannot run.
        """

    def roll_back_model(self) -> None:
        """Have the model before the active one be active again. Raise as `activate_model`."""

    @property
    def learning(self) -> LearningProcess:
        """Starts learning runs, and knows what became of the last one."""

    @property
    def decoder(self) -> Decoder:
        """Decodes photos within what the machine has, for the workers, too."""

    @property
    def in_progress(self) -> InProgress:
        """Which photos are being decoded, for the next start."""

    @property
    def inbox(self) -> Path:
        """Absolute path of the folder that is watched."""

    @property
    def state(self) -> Path:
        """Absolute path of the folder with the ledger."""

    @property
    def started(self) -> float:
        """When the daemon started, in monotonic seconds."""

    @property
    def health(self) -> Health:
        """Result of the last health check."""

    @property
    def watch_status(self) -> WatchStatus:
        """How the inbox is watched, and what keeps it from being read."""

    @property
    def in_flight(self) -> int:
        """How many photos are being classified."""

    @property
    def ledger_moved_aside(self) -> Path | None:
        """Where the ledger that was found damaged at the start is kept; None where it was sound."""

    @property
    def salvaged_results(self) -> int | None:
        """How many results the present ledger has of the one that was moved aside; None where nothing could be read."""

    def note_ledger_error(self, error: Exception) -> None:
        """Consider an error that reading the ledger brought: is it damaged?"""

    @property
    def ledger_changes(self) -> int:
        """A number that grows with every change of the ledger: what was read at the same number is up to date."""

    @property
    def result_signal(self) -> ResultSignal:
        """Wakes threads that wait for new results."""

    @property
    def counters(self) -> ResultCounters:
        """Results and durations since the start."""

    @property
    def outputs(self) -> OutputKeeper:
        """The outputs, and how they are doing."""

    def review(self, ids: Sequence[int], word: Word) -> int:
        """Write a person's word on results, by id: on all or none; return how many words were written.

        Raise UnknownResultError, or NoAnswerError.
        """

    def review_training_photos(self, photos: Mapping[str, str], word: Word) -> int:
        """Write a person's word on photos that a model file carries, by content, with their labels in the file.

        Return how many words were written.
        """

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own read-only connection to the ledger."""
