"""Comparing two models' answers to the same photos. Pure numpy."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid_convert.evaluation.metrics import Evaluation, evaluate

Probabilities = NDArray[np.floating[Any]]

_EXACT_UP_TO = 1000  # photos; beyond, the normal approximation is the same to all digits shown


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models give the same answers."""

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
class Disagreement:
    """Does one of two models make more errors? McNemar's test, exact."""

    only_first_right: int
    only_second_right: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Two models on labelled photos."""

    labels: tuple[str, ...]
    """Of the confusion matrices' rows and columns: those that occur."""
    float_model: Evaluation
    converted: Evaluation
    disagreement: Disagreement


def agree(first: Probabilities, second: Probabilities) -> Agreement:
    """Compare two models' answers [photos, classes]; at least one photo."""
    same = first.argmax(axis=1) == second.argmax(axis=1)
    difference = np.abs(first - second)
    tops = np.abs(first.max(axis=1) - second.max(axis=1))
    count, hits = len(same), int(same.sum())
    return Agreement(count, hits, hits / count, wilson(hits, count), float(tops.mean()), float(difference.max()))


def compare(
    first: Probabilities, second: Probabilities, truth: NDArray[np.int64], labels: tuple[str, ...]
) -> Accuracies:
    """Judge both by the truth [photos]. Labels that neither occur nor are answered are left out."""
    predictions = first.argmax(axis=1), second.argmax(axis=1)
    occurring = np.unique(np.concatenate([truth, *predictions]))
    if len(occurring) == 1:  # a matrix needs two
        occurring = np.unique(np.append(occurring, [0, 1]))[:2]
    place = np.searchsorted(occurring, truth)
    return Accuracies(
        labels=tuple(labels[i] for i in occurring),
        float_model=evaluate(first[:, occurring], place),
        converted=evaluate(second[:, occurring], place),
        disagreement=mcnemar(predictions[0] == truth, predictions[1] == truth),
    )


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> Disagreement:
    """Return the two-sided test that both are right equally often (McNemar 1947, in its binomial form)."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    n, k = only_first + only_second, min(only_first, only_second)
    if n > _EXACT_UP_TO:
        p = math.erfc((abs(only_first - only_second) - 1) / math.sqrt(2 * n))
    else:
        p = 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return Disagreement(only_first, only_second, min(1.0, p))


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927): sensible also where all photos agree."""
    share, square = hits / count, z * z
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)
