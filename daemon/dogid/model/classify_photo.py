"""Decoding and classifying the bytes of one photo, with the time that each step took."""

import time
from collections.abc import Callable
from typing import NamedTuple

from dogid.errors import PhotoCode, PhotoError
from dogid.model.classifier import SHOWN_SCORES, Classifier, best_scores
from dogid.model.output_scores import Scores
from dogid.photo import decode as photo_decode
from dogid.photo.pixels import DecodedPhoto

DecodeFunction = Callable[[bytes, tuple[int, int], Callable[[], None]], DecodedPhoto]
"""Given a photo's bytes and (width, height), decodes it, and calls the third argument when it begins with that."""


class Classification(NamedTuple):
    """What a model answers to one photo."""

    labels: tuple[str, ...]
    scores: Scores
    """Probabilities [labels] in label order."""
    width: int
    """Of the photo, upright, in pixels."""
    height: int
    complete: bool
    """False where the photo decodes but may end too early, as `decode` finds."""
    model: str
    """The name of the model's file."""
    decode_ms: float
    invoke_ms: float
    embedding: bytes | None = None
    """As the model's network gave it; None where the classifier gives none."""
    taken_at: str | None = None
    """When the photo was taken, as its EXIF says."""

    def best(self, count: int = SHOWN_SCORES) -> dict[str, float]:
        """Return the best probabilities by label, best first, at most count of them."""
        return best_scores(self.scores, self.labels, count)


def _decode_here(data: bytes, size: tuple[int, int], on_start: Callable[[], None]) -> DecodedPhoto:
    """Decode a photo at once, in this thread."""
    on_start()
    return photo_decode.decode(data, size)


def classify_photo(
    data: bytes,
    classifier: Classifier,
    decode: DecodeFunction = _decode_here,
    on_start: Callable[[], None] = lambda: None,
) -> Classification:
    """Given an encoded photo, decode it to the model's size and classify it.

    on_start is called when decode begins with it. Raise PhotoError where it cannot be decoded, and with `internal`
    where the model fails on it; what decode raises.
    """
    started = 0.0

    def start() -> None:
        nonlocal started
        on_start()
        started = time.perf_counter()

    photo = decode(data, classifier.size, start)
    decoded = time.perf_counter()
    try:
        scores = classifier.classify(photo.pixels)
        embedding = classifier.read_embedding()
    except RuntimeError as error:
        raise PhotoError(PhotoCode.INTERNAL, f"the model fails on this photo: {error}") from error
    return Classification(
        labels=classifier.labels,
        scores=scores,
        width=photo.width,
        height=photo.height,
        complete=photo.complete,
        model=classifier.model_name,
        decode_ms=round((decoded - started) * 1000, 3),
        invoke_ms=elapsed_ms(decoded),
        embedding=embedding,
        taken_at=photo.taken_at,
    )


def elapsed_ms(started: float) -> float:
    """Given a moment of `time.perf_counter`, return the milliseconds since, to the microsecond."""
    return round((time.perf_counter() - started) * 1000, 3)
