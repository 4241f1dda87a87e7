"""A photo classified at once for whoever asks, by an interpreter of its own beside the workers'."""

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus

from dogid.errors import PhotoCode, PhotoError
from dogid.model.classifier import Classifier, Model
from dogid.model.classify_photo import Classification, classify_photo
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.server.deadline_thread import BusyError, DeadlineThread, HungError

_AT_ONCE = 2
"""Requests for a photo: one is worked on, one waits. The server's other threads stay free."""
_PATIENCE_SECONDS = 2.0  # less than a person's


class OnDemandClassifier:
    """One question at a time, each within the time that a photo may take."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._places = threading.Semaphore(_AT_ONCE)
        self._turn = threading.Lock()
        self._errands = DeadlineThread(
            "photos that are asked for", _PATIENCE_SECONDS, lambda: daemon.settings.decode_timeout
        )
        self._ready: tuple[Model, Classifier] | None = None

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

    def answer(self, data: bytes) -> Classification:
        """Classify a photo's bytes; the caller has the turn. Raise ApiError."""
        unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
        try:
            return self._errands.run(lambda: classify_photo(data, self._classifier()))
        except HungError:
            self._ready = None  # the thread that hangs keeps its interpreter
            message = f"decoding took longer than {self._daemon.settings.decode_timeout:g} s (decode_timeout)"
            raise ApiError(unprocessable, PhotoCode.TOO_LARGE, message) from None
        except BusyError:
            raise _busy() from None
        except PhotoError as error:
            raise ApiError(unprocessable, error.code, error.message) from error

    def _classifier(self) -> Classifier:
        """An interpreter of the model that the daemon uses now, since a reload may have changed it."""
        model = self._daemon.model
        if self._ready is None or self._ready[0] is not model:
            self._ready = model, model.classifier()
        return self._ready[1]


def _busy() -> ApiError:
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE, "busy", "other photos are being asked for; try again", {"Retry-After": "1"}
    )
