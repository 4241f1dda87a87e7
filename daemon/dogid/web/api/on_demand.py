"""Classifying photos for HTTP requests, with an interpreter apart from those of the workers."""

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus

from dogid.conditions import ledger_hangs
from dogid.decoding.byte_budget import BudgetTimeoutError
from dogid.errors import PhotoCode, PhotoError
from dogid.model.classifier import Classifier, Model
from dogid.model.classify_photo import Classification, classify_photo
from dogid.photo.pixels import DecodedPhoto
from dogid.web.daemon_view import DaemonView
from dogid.web.deadline_executor import BusyError, DeadlineExecutor, HungError, Slot
from dogid.web.errors import ApiError

_MAX_WAIT_SECONDS = 2.0
"""How long a request waits while another is classified, and again until there is memory for its photo.

Longer keeps threads of the server, and people, waiting."""
_MAX_WAITING = 1
"""Requests that wait; each holds one of the server's few threads, which other requests need too."""


class OnDemandClassifier:
    """Classifies one photo at a time, each within the time that a photo may take (decode_timeout)."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._executor = DeadlineExecutor("classify on demand", max_wait=_MAX_WAIT_SECONDS, max_waiting=_MAX_WAITING)
        self._ready: tuple[Model, Classifier] | None = None
        self._state_hangs = False

    @contextlib.contextmanager
    def slot(self) -> Iterator[Slot]:
        """Hold the right to classify while the context lasts, so that the bytes of one photo at a time are in memory.

        Raise ApiError where other requests have it for too long.
        """
        try:
            with self._executor.slot() as slot:
                yield slot
        except BusyError:
            raise _busy("other photos are being classified; try again") from None

    def classify(self, data: bytes, slot: Slot) -> Classification:
        """Classify a photo's bytes in a slot of this classifier. Raise ApiError where that fails."""
        unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
        timeout = self._daemon.settings.decode_timeout
        try:
            classifier = self._present_classifier(slot, timeout)
        except BusyError as error:
            if not self._state_hangs or isinstance(error, HungError):
                raise
            raise self._explain_state() from None  # each thread that may hang does already
        try:
            return self._run(data, classifier, slot, timeout + _MAX_WAIT_SECONDS)
        except BudgetTimeoutError:
            raise _busy("other photos take all memory; try again") from None
        except OSError as error:
            if error.errno not in (errno.ENOMEM, errno.ECANCELED):
                raise
            raise _busy(f"{error.strerror}; try again") from error
        except HungError:
            self._ready = None  # the thread that hangs keeps its interpreter
            message = f"decoding took longer than {timeout:g} s (decode_timeout)"
            raise ApiError(unprocessable, PhotoCode.TOO_LARGE, message) from None
        except PhotoError as error:
            is_internal = error.code is PhotoCode.INTERNAL
            status = HTTPStatus.INTERNAL_SERVER_ERROR if is_internal else unprocessable
            raise ApiError(status, error.code, error.message) from error

    def _run(self, data: bytes, classifier: Classifier, slot: Slot, timeout: float) -> Classification:
        """Classify in a thread of slot. Raise HungError where the photo takes too long, ApiError where a disk does."""
        is_decoding = threading.Event()

        def classify() -> Classification:
            with self._daemon.in_progress.track_request():  # which writes to the state folder
                is_decoding.set()
                try:
                    return classify_photo(data, classifier, self._decode)
                finally:
                    is_decoding.clear()

        try:
            result = slot.run(classify, timeout)
        except HungError:
            self._state_hangs = not is_decoding.is_set()
            if not self._state_hangs:
                raise
            self._ready = None  # the thread that hangs keeps its interpreter
            raise self._explain_state() from None
        self._state_hangs = False
        return result

    def _explain_state(self) -> ApiError:
        return _busy(ledger_hangs(self._daemon.state))

    def _decode(self, data: bytes, size: tuple[int, int], on_start: Callable[[], None]) -> DecodedPhoto:
        return self._daemon.decoder.decode(data, size, on_start, max_wait=_MAX_WAIT_SECONDS)

    def _present_classifier(self, slot: Slot, timeout: float) -> Classifier:
        """Return an interpreter of the daemon's present model, which a reload may have changed."""
        model = self._daemon.model
        if self._ready is None or self._ready[0] is not model:
            self._ready = None
            # kept by this thread and not by the one that makes it: if that hangs, what it makes later is dropped
            self._ready = model, slot.run(model.classifier, timeout)
        return self._ready[1]


def _busy(message: str) -> ApiError:
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", message, {"Retry-After": "1"})
