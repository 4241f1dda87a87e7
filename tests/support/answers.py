"""What the shipped model says of a photo, asked without a daemon."""

import functools

from dogid.model.classifier import Classifier, best_scores, load_model
from dogid.model.shipped import shipped_model
from dogid.photo.decode import decode


@functools.cache
def _classifier() -> Classifier:
    return load_model(shipped_model()).classifier()


def answer(data: bytes) -> dict[str, float]:
    """Given a photo's bytes, return its best scores by label, best first."""
    classifier = _classifier()
    return best_scores(classifier.classify(decode(data, classifier.size).pixels), classifier.labels)
