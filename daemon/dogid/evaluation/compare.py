"""Comparing two models' answers to the same photos."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.intervals import Disagreement, mcnemar, share_interval
from dogid.evaluation.metrics import Evaluation, evaluate

Probabilities = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models agree."""

    photos: int
    same: int
    share: float
    """Of photos with the same top label, 0..1."""
    interval: tuple[float, float]
    """95 %, Wilson's."""
    mean_difference: float
    """Of the top label's probability."""
    largest_difference: float
    """Of any probability."""


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Two models on labelled photos."""

    labels: tuple[str, ...]
    """Of the confusion matrices' rows and columns: those that occur."""
    float_model: Evaluation
    converted: Evaluation
    disagreement: Disagreement
    groups: int | None
    """How many sources the intervals are over; None where they are over photos."""


def measure_agreement(first: Probabilities, second: Probabilities) -> Agreement:
    """Compare two models' answers [photos, classes]; at least one photo."""
    same = first.argmax(axis=1) == second.argmax(axis=1)
    difference = np.abs(first - second)
    tops = np.abs(first.max(axis=1) - second.max(axis=1))
    count, hits = len(same), int(same.sum())
    interval = share_interval(hits, count)
    return Agreement(count, hits, hits / count, interval, float(tops.mean()), float(difference.max()))


def compare_accuracy(
    first: Probabilities,
    second: Probabilities,
    labels: NDArray[np.int64],
    names: tuple[str, ...],
    groups: NDArray[np.integer] | None = None,
) -> Accuracies:
    """Evaluate both models' answers [photos, classes] on labelled photos.

    labels [photos] are indices of names, the labels' names. Names that neither occur nor are answered are left out.
    With groups [photos], the number of each photo's source, intervals are by source.
    """
    predictions = first.argmax(axis=1), second.argmax(axis=1)
    occurring = np.unique(np.concatenate([labels, *predictions]))
    if len(occurring) == 1:  # a matrix needs two
        occurring = np.unique(np.append(occurring, 0 if occurring[0] else 1))
    place = np.searchsorted(occurring, labels)
    return Accuracies(
        labels=tuple(names[i] for i in occurring),
        float_model=evaluate(first[:, occurring], place, groups),
        converted=evaluate(second[:, occurring], place, groups),
        disagreement=mcnemar(predictions[0] == labels, predictions[1] == labels),
        groups=None if groups is None else len(np.unique(groups)),
    )
