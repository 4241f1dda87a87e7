"""The photos on which a converted model differs most from its float graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.evaluation.compare import Probabilities

_SHOWN = 24


@dataclass(frozen=True, slots=True)
class PhotoDifference:
    """One photo with both models' answers."""

    photo: Path
    float_label: str
    float_score: float
    label: str
    score: float
    distance: float
    """The largest difference of a probability."""


def largest_differences(
    photos: Sequence[LabelledPhoto], first: Probabilities, second: Probabilities, labels: Sequence[str]
) -> tuple[PhotoDifference, ...]:
    """Return the photos [photos] with other labels first, then those with the largest difference."""
    tops = first.argmax(axis=1), second.argmax(axis=1)
    distances = np.abs(first - second).max(axis=1)
    order = np.lexsort((-distances, tops[0] == tops[1]))
    return tuple(
        PhotoDifference(
            photo=photos[i].path,
            float_label=labels[tops[0][i]],
            float_score=round(float(first[i].max()), 4),
            label=labels[tops[1][i]],
            score=round(float(second[i].max()), 4),
            distance=round(float(distances[i]), 4),
        )
        for i in order[:_SHOWN]
    )
