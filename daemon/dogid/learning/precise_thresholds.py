"""Scores below which a label's answers are not precise enough, from answers to photos that were not learned from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.photos import Indices
from dogid.learning.standardisation import Matrix

DEFAULT_PRECISION = 0.95
"""Higher makes more answers unsure, and needs more photos to be known."""
_FEWEST_ANSWERS = 20
"""Of a label. With fewer, one wrong answer more or less moves a threshold at will, and none is proposed."""
_STEPS = 1000  # of a score: thresholds are written with three digits


@dataclass(frozen=True, slots=True)
class PreciseThreshold:
    """A label's threshold, and what it does to the answers that it was found by."""

    label: str
    threshold: float
    """0..1."""
    answers: int
    """With this label."""
    unsure: int
    """Of them, with a lower score."""
    precision_before: float
    """Share of the answers that are right, without the threshold."""
    precision: float
    """The same of the answers that are not unsure."""


def propose_thresholds(
    scores: Matrix, truth: NDArray[np.integer], labels: Sequence[str], precision: float
) -> tuple[PreciseThreshold, ...]:
    """Return the lowest thresholds at which so large a share of the answers that are not unsure is right.

    scores [photos, labels] are probabilities, truth [photos] places among labels, precision is 0..1. Labels that need
    none are left out, and so are those of too few answers, and those that reach precision at no score.
    """
    if not len(scores):
        return ()
    answers = scores.argmax(axis=1).astype(np.intp)
    best = scores[np.arange(len(scores)), answers]
    proposals = []
    for at in np.unique(answers).tolist():
        found = _find_threshold(best, answers == truth, np.flatnonzero(answers == at), labels[at], precision)
        if found is not None:
            proposals.append(found)
    return tuple(proposals)


def _find_threshold(
    best: NDArray[np.float64], right: NDArray[np.bool_], mine: Indices, label: str, precision: float
) -> PreciseThreshold | None:
    if len(mine) < _FEWEST_ANSWERS or right[mine].mean() >= precision:
        return None
    for step in np.unique(np.ceil(best[mine] * _STEPS)).tolist():
        threshold = min(step / _STEPS, 1.0)
        sure = right[mine][best[mine] >= threshold]
        if len(sure) and sure.mean() >= precision:
            unsure = len(mine) - len(sure)
            return PreciseThreshold(label, threshold, len(mine), unsure, float(right[mine].mean()), float(sure.mean()))
    return None
