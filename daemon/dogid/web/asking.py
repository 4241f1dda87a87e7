"""`/?file=NAME`: one photo of the inbox, classified anew for whoever asks."""

import os
import threading
from http import HTTPStatus

from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.beneath import NotAFileError, OutsideError, open_beneath, open_root
from dogid.model.classifier import Classifier, Model
from dogid.photo import decode
from dogid.service import Service
from dogid.web.errors import ApiError

_PATIENCE_SECONDS = 2.0  # less than a person's; the other requests' threads must not all wait for one huge photo


class AskedClassifier:
    """An interpreter of its own beside the workers', for one question at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._classifier: Classifier | None = None

    def answer(self, name: bytes) -> tuple[list[str], list[float]]:
        """Return labels and probabilities, both in the model's label order. Raise ApiError."""
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "another photo is being asked for; try again")
        try:
            data = _read(self._service, name)
            classifier = self._current()
            try:
                photo = decode(data, classifier.size)
            except PhotoError as error:
                raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, error.message) from error
            return list(classifier.labels), [float(score) for score in classifier.classify(photo.pixels)]
        finally:
            self._lock.release()

    def _current(self) -> Classifier:
        """The classifier of the model that the service uses now: a reload may have changed it."""
        if self._classifier is None or self._model is not self._service.model:
            self._model = self._service.model
            self._classifier = self._model.classifier()
        return self._classifier


def _read(service: Service, name: bytes) -> bytes:
    """The bytes of the file that a request names: inside the inbox, also by an absolute path. Raise ApiError."""
    unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
    limit = service.settings.max_bytes
    try:
        if b"\0" in name:
            raise FileNotFoundError
        with open_root(service.inbox) as root:
            descriptor = open_beneath(root, root.relative(name) if name.startswith(b"/") else name)
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            data = file.read() if size <= limit else b""
    except OutsideError as error:
        raise ApiError(HTTPStatus.FORBIDDEN, "outside", "the file lies outside the inbox") from error
    except NotAFileError as error:
        raise ApiError(unprocessable, PhotoCode.UNSUPPORTED, "not a regular file") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "there is no such file in the inbox") from error
    except OSError as error:
        raise ApiError(unprocessable, PhotoCode.UNREADABLE, f"the file cannot be read: {error.strerror}") from error
    if size > limit:
        raise ApiError(unprocessable, PhotoCode.TOO_LARGE, f"{size} bytes; at most {limit} are read (max_bytes)")
    return data
