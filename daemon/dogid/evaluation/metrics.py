"""Metrics of predicted probabilities: the same for training, for conversion and for a model that is judged.

Throughout, `probabilities` is float [photos, classes] whose rows sum to one; `labels` int [photos], the true classes.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.bootstrap import bootstrap_groups, bootstrap_photos
from dogid.evaluation.intervals import Interval

ECE_BINS = 15
"""Equal-width bins of confidence, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""

CONFIDENCE_EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Of the bins shown to people: narrow where most answers are."""

Probabilities = NDArray[np.floating]
ClassIndices = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did on labelled photos. All rates are in 0..1; a rate over no photos is nan."""

    photos: int
    accuracy: float
    """Top-1."""
    accuracy_interval: Interval
    macro_recall: float
    """Mean of the labels' recalls, over the labels that have photos."""
    macro_recall_interval: Interval
    recalls: tuple[float, ...]
    """Per label."""
    recall_intervals: tuple[Interval | None, ...]
    """Wilson's; by groups the bootstrap's. None for a label without photos, or with those of one group alone."""
    precisions: tuple[float, ...]
    calibration_error: float
    """Expected calibration error of the top label's probability."""
    confusion: tuple[tuple[int, ...], ...]
    """[true class][prediction], counts."""


def evaluate(
    probabilities: Probabilities,
    labels: ClassIndices,
    groups: ClassIndices | None = None,
    *,
    samples: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Return all figures at once; intervals from that many bootstrap samples. Raise ValueError without photos.

    With groups (int [photos], the number of each photo's source) whole groups are drawn, and not single photos: those
    of one source resemble each other, and intervals by photo promise too much for photos of another source.
    """
    _check(probabilities, labels)
    predicted = probabilities.argmax(axis=1)
    counts = count_confusions(labels, predicted, probabilities.shape[1])
    hits = np.diag(counts).astype(float)
    with np.errstate(invalid="ignore"):
        recalls = hits / counts.sum(axis=1)
        precisions = hits / counts.sum(axis=0)
    intervals = (
        bootstrap_photos(counts, samples, seed)
        if groups is None
        else bootstrap_groups(labels, predicted == labels, groups, probabilities.shape[1], samples, seed)
    )
    return Evaluation(
        photos=len(labels),
        accuracy=float(hits.sum() / len(labels)),
        accuracy_interval=intervals.accuracy,
        macro_recall=float(np.nanmean(recalls)),
        macro_recall_interval=intervals.macro_recall,
        recalls=tuple(recalls.tolist()),
        recall_intervals=intervals.recalls,
        precisions=tuple(precisions.tolist()),
        calibration_error=expected_calibration_error(probabilities, labels),
        confusion=tuple(tuple(row) for row in counts.tolist()),
    )


def count_confusions(labels: ClassIndices, predicted: ClassIndices, classes: int) -> NDArray[np.int64]:
    """Return how often each class was predicted for each true one: [true class, prediction]."""
    cells = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
    return cells.astype(np.int64, copy=False).reshape(classes, classes)


def expected_calibration_error(probabilities: Probabilities, labels: ClassIndices, bins: int = ECE_BINS) -> float:
    """Return the mean distance between confidence and accuracy over bins of confidence, weighted by photos."""
    _check(probabilities, labels)
    confidence = probabilities.max(axis=1)
    hit = (probabilities.argmax(axis=1) == labels).astype(float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    distance = np.abs(np.bincount(place, weights=confidence - hit))
    return float(distance.sum() / len(labels))


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """The photos whose top probability is within a range: how sure the model is, and how often it is right."""

    low: float
    high: float
    photos: int
    confidence: float
    """Mean probability of the predicted label; nan without photos."""
    accuracy: float
    """Share that is right; nan without photos."""


def bin_by_confidence(
    probabilities: Probabilities, labels: ClassIndices, edges: Sequence[float] = CONFIDENCE_EDGES
) -> tuple[ConfidenceBin, ...]:
    """Return the photos' confidence and accuracy between each two edges, which go up from 0 to 1."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    found = []
    for low, high in itertools.pairwise(edges):
        inside = (confidence >= low) & ((confidence < high) | (high == edges[-1]))
        means = (float(confidence[inside].mean()), float(hit[inside].mean())) if inside.any() else (math.nan, math.nan)
        found.append(ConfidenceBin(low, high, int(inside.sum()), *means))
    return tuple(found)


def _check(probabilities: Probabilities, labels: ClassIndices) -> None:
    if len(labels) == 0:
        raise ValueError("no photos to evaluate on")
    if len(probabilities) != len(labels):
        raise ValueError(f"{len(probabilities)} answers for {len(labels)} photos")
