"""The model that runs, and its exchange for another one while photos go on being classified."""

import os
from collections.abc import Callable
from typing import Any

from dogid.clock import Clock
from dogid.daemon.health_check import INTERVAL_SECONDS
from dogid.daemon.model_log import log_model, log_model_change
from dogid.daemon.opening import Opened
from dogid.decoding.decoder import Decoder
from dogid.errors import DogidError
from dogid.model.classifier import Model
from dogid.model.reference_photo import make_reference_photo
from dogid.pipeline.engine import Engine
from dogid.pipeline.photo_processor import PhotoProcessor
from dogid.pipeline.pipeline import Pipeline
from dogid.pipeline.retry_policy import RetryPolicy
from dogid.settings import Settings
from dogid.shelf.listing import describe_choice
from dogid.shelf.open_model import FoundModel, OpenedModel


class EngineMaker:
    """Makes what workers need to classify photos by a model."""

    def __init__(self, opened: Opened, decoder: Decoder, clock: Clock) -> None:
        self._opened = opened
        self._decoder = decoder
        self._clock = clock

    def make(self, model: Model, settings: Settings) -> Engine:
        """Return the engine of a model, which the ledger then knows."""
        opened = self._opened
        processor = PhotoProcessor(
            opened.inbox,
            settings.max_bytes,
            opened.ledger.register_model(model.file.name, model.file.sha256, model.labels),
            RetryPolicy(round(settings.settle * 1000), self._clock),
            opened.in_progress,
            self._decoder,
        )
        return Engine(model, processor, make_reference_photo(model), settings.decode_timeout)


class RunningModel:
    """The model that the workers use, and why it was chosen."""

    def __init__(
        self,
        opened: OpenedModel,
        engine: Engine,
        engine_maker: EngineMaker,
        pipeline: Pipeline,
        on_switched: Callable[[], None],
    ) -> None:
        """Set up for the model and the engine that the pipeline begins with; on_switched is called after a switch."""
        self.model: Model = opened.model
        self.found: FoundModel = opened.found
        self.engine = engine
        self._engine_maker = engine_maker
        self._pipeline = pipeline
        self._on_switched = on_switched

    def adopt(self, opened: OpenedModel, settings: Settings, commit: Callable[[], None] = lambda: None) -> None:
        """Have every worker prove a model, call commit, and switch to the model, without dropping a photo.

        Raise DogidError where a worker refuses it, or what commit raises: then all stays as it is.
        """
        engine = self._engine_maker.make(opened.model, settings)
        workers = count_workers(settings)
        # a worker may be busy with a photo, and then makes its new interpreter
        problem = self._pipeline.validate_engine(engine, workers, self.engine.decode_timeout + INTERVAL_SECONDS)
        if problem is not None:
            raise DogidError(f"{opened.model.file.path}: the model does not work in every worker: {problem}")
        try:
            commit()
        except BaseException:
            self._pipeline.forget_engine()
            raise
        self._pipeline.switch_engine(engine, workers)
        self.model, self.found, self.engine = opened.model, opened.found, engine
        self._on_switched()

    def describe(self) -> dict[str, Any]:
        """Return the model's name, what it is fed, and why it was chosen, as entries of the daemon's condition."""
        return {
            "model": f"{self.model.file.name}, fed {self.model.input.describe()}",
            "model_choice": describe_choice(self.found, self.model.file),
        }

    def log(self, settings: Settings) -> None:
        """Log what the model is fed, what may make its answers wrong, and why it is not the active one."""
        log_model(self.model, self.found, settings.thresholds)

    def log_change(self, what: str, settings: Settings) -> None:
        """Log that the model has become the active one; what: how."""
        log_model_change(what, self.model)
        self.log(settings)


def count_workers(settings: Settings) -> int:
    """Return how many photos are processed in parallel: as many as are set, or one for each core."""
    return settings.workers or len(os.sched_getaffinity(0))
