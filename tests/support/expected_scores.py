"""The scores that the shipped model gives a photo, computed without a daemon."""

import functools

from dogid.model.classifier import Classifier, load_model
from dogid.model.classify_photo import classify_photo
from dogid.model.shipped import shipped_model


@functools.cache
def shipped_classifier() -> Classifier:
    """Return the shipped model, loaded once."""
    return load_model(shipped_model()).classifier()


def expected_scores(data: bytes) -> dict[str, float]:
    """Given a photo's bytes, return its best scores by label, best first."""
    return dict(_classify(data))


@functools.lru_cache(256)
def _classify(data: bytes) -> dict[str, float]:
    return classify_photo(data, shipped_classifier()).best()
