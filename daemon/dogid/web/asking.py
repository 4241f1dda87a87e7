"""A photo classified at once for whoever asks, by an interpreter of its own beside the workers'."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus

from dogid.errors import PhotoCode, PhotoError
from dogid.ledger.records import Timings
from dogid.model.classifier import Classifier, Model
from dogid.model.outcome import Scores
from dogid.photo import decode
from dogid.service import Service
from dogid.web.errors import ApiError

log = logging.getLogger(__name__)

_AT_ONCE = 2
"""Requests for a photo: one is worked on, one waits. The server's other threads stay free."""
_PATIENCE_SECONDS = 2.0  # less than a person's
_MOST_LOST = 3  # threads that hang in a decoder; then no more photos are taken until one comes back


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
    """One question at a time, each within the time that a photo may take."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._places = threading.Semaphore(_AT_ONCE)
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._desk: _Desk | None = None
        self._lost: list[_Desk] = []

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Have the turn while the context lasts: a photo's bytes are in memory once. Raise ApiError where many wait."""
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turn.acquire(timeout=_PATIENCE_SECONDS):
                raise _busy()
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def answer(self, data: bytes) -> Asked:
        """Classify a photo's bytes; the caller has the turn. Raise ApiError."""
        desk = self._current_desk()
        patience = self._service.settings.decode_timeout
        try:
            return desk.ask(data).result(timeout=patience)
        except TimeoutError:
            self._give_up(desk)
            message = f"decoding took longer than {patience:g} s (decode_timeout)"
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, PhotoCode.TOO_LARGE, message) from None
        except PhotoError as error:
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, error.message) from error

    def _current_desk(self) -> "_Desk":
        """The thread that answers, with the model that the service uses now: a reload may have changed it."""
        with self._lock:
            self._lost = [desk for desk in self._lost if desk.is_alive]
            if len(self._lost) >= _MOST_LOST:
                raise _busy()
            if self._desk is None or self._desk.model is not self._service.model:
                if self._desk is not None:
                    self._desk.close()
                self._desk = _Desk(self._service.model)
            return self._desk

    def _give_up(self, desk: "_Desk") -> None:
        with self._lock:
            if self._desk is desk:
                log.error("a photo that was asked for hangs in its decoder; another thread takes over")
                desk.close()
                self._lost.append(desk)
                self._desk = None


class _Desk:
    """A thread with an interpreter, which answers questions in their order."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._questions: queue.SimpleQueue[tuple[bytes, Future[Asked]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="asked", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def ask(self, data: bytes) -> "Future[Asked]":
        """Hand in a photo's bytes."""
        answer: Future[Asked] = Future()
        self._questions.put((data, answer))
        return answer

    def close(self) -> None:
        """Answer what has been handed in, and end."""
        self._questions.put(None)

    def _run(self) -> None:
        classifier: Classifier | None = None
        while (question := self._questions.get()) is not None:
            data, answer = question
            try:
                classifier = classifier or self.model.classifier()
                answer.set_result(_answer(data, classifier, self.model.file.name))
            except Exception as error:  # whatever it is, whoever asked is told
                answer.set_exception(error)
            del question, data, answer  # this thread now waits, perhaps for days, and shall not keep a photo


def _answer(data: bytes, classifier: Classifier, model_name: str) -> Asked:
    started = time.perf_counter()
    photo = decode(data, classifier.size)
    decoded = time.perf_counter()
    scores = classifier.classify(photo.pixels)
    invoked = time.perf_counter()
    return Asked(
        labels=tuple(classifier.labels),
        scores=scores,
        width=photo.width,
        height=photo.height,
        model=model_name,
        timings=Timings(
            decode=round((decoded - started) * 1000, 3),
            invoke=round((invoked - decoded) * 1000, 3),
            total=round((invoked - started) * 1000, 3),
        ),
    )


def _busy() -> ApiError:
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE, "busy", "other photos are being asked for; try again", {"Retry-After": "1"}
    )
