"""A photo classified at once for whoever asks, by an interpreter of its own beside the workers'."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from dogid.errors import PhotoError
from dogid.ledger.records import Timings
from dogid.model.classifier import Classifier, Model, Scores
from dogid.photo import decode
from dogid.service import Service
from dogid.web.errors import ApiError

_AT_ONCE = 2
"""Requests that may hold a photo: one is worked on, one waits. The server's other threads stay free."""
_PATIENCE_SECONDS = 2.0  # less than a person's


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to one photo."""

    labels: tuple[str, ...]
    scores: Scores
    """Probabilities [labels] in label order."""
    width: int
    height: int
    model: str
    timings: Timings


class AskedClassifier:
    """An interpreter for one question at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._places = threading.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._classifier: Classifier | None = None

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the few places for a photo's bytes, or raise ApiError where all are taken."""
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            yield
        finally:
            self._places.release()

    def answer(self, data: bytes) -> Asked:
        """Classify a photo's bytes; the caller holds a place. Raise ApiError."""
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            raise _busy()
        try:
            return self._answer(data)
        finally:
            self._lock.release()

    def _answer(self, data: bytes) -> Asked:
        model, classifier = self._current()
        started = time.perf_counter()
        try:
            photo = decode(data, classifier.size)
        except PhotoError as error:
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, error.message) from error
        decoded = time.perf_counter()
        scores = classifier.classify(photo.pixels)
        invoked = time.perf_counter()
        return Asked(
            labels=tuple(classifier.labels),
            scores=scores,
            width=photo.width,
            height=photo.height,
            model=model.file.name,
            timings=Timings(
                decode=round((decoded - started) * 1000, 3),
                invoke=round((invoked - decoded) * 1000, 3),
                total=round((invoked - started) * 1000, 3),
            ),
        )

    def _current(self) -> tuple[Model, Classifier]:
        """The model that the service uses now, since a reload may have changed it, and its classifier."""
        if self._classifier is None or self._model is not self._service.model:
            model = self._service.model
            self._classifier = model.classifier()
            self._model = model
        assert self._model is not None
        return self._model, self._classifier


def _busy() -> ApiError:
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE, "busy", "other photos are being asked for; try again", {"Retry-After": "1"}
    )
