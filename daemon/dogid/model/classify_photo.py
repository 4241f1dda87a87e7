"""Decoding and classifying the bytes of one photo, with the time that each step took."""

import time
from dataclasses import dataclass

from dogid.errors import PhotoCode, PhotoError
from dogid.model.classifier import SHOWN_SCORES, Classifier, best_scores
from dogid.model.output_scores import Scores
from dogid.photo.decode import decode


@dataclass(frozen=True, slots=True)
class Classification:
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

    def best(self, count: int = SHOWN_SCORES) -> dict[str, float]:
        """Return the best probabilities by label, best first, at most count of them."""
        return best_scores(self.scores, self.labels, count)


def classify_photo(data: bytes, classifier: Classifier) -> Classification:
    """Given an encoded photo, decode it to the model's size and classify it.

    Raise PhotoError where it cannot be decoded, and with `internal` where the model fails on it.
    """
    started = time.perf_counter()
    photo = decode(data, classifier.size)
    decoded = time.perf_counter()
    try:
        scores = classifier.classify(photo.pixels)
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
    )


def elapsed_ms(started: float) -> float:
    """Given a moment of `time.perf_counter`, return the milliseconds since, to the microsecond."""
    return round((time.perf_counter() - started) * 1000, 3)
