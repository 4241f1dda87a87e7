"""Metrics of predicted probabilities: the same for training, for conversion and for a model that is judged.

Throughout, `probabilities` is float [photos, classes] whose rows sum to one; `labels` int [photos], the true classes.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.intervals import Interval, share_interval

ECE_BINS = 15
"""Equal-width bins of confidence, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""

CONFIDENCE_EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Of the bins shown to people: narrow where most answers are."""

_AT_ONCE = 100  # bootstrap samples
_BISECTIONS = 100  # halve an interval of at most 1: more cannot be expressed
_TAIL = 0.025  # the probability that a 95 % interval leaves out at either end

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
    """Wilson's; None for a label without photos."""
    precisions: tuple[float, ...]
    calibration_error: float
    """Expected calibration error of the top label's probability."""
    confusion: tuple[tuple[int, ...], ...]
    """[true class][prediction], counts."""


def evaluate(probabilities: Probabilities, labels: ClassIndices, *, samples: int = 2000, seed: int = 0) -> Evaluation:
    """Return all figures at once; intervals from that many bootstrap samples. Raise ValueError without photos."""
    _check(probabilities, labels)
    predicted = probabilities.argmax(axis=1)
    counts = count_confusions(labels, predicted, probabilities.shape[1])
    hits = np.diag(counts).astype(float)
    accuracies, macros = _bootstrap(counts, samples, seed)
    with np.errstate(invalid="ignore"):
        recalls = hits / counts.sum(axis=1)
        precisions = hits / counts.sum(axis=0)
    return Evaluation(
        photos=len(labels),
        accuracy=float(hits.sum() / len(labels)),
        accuracy_interval=_interval(accuracies, counts.sum(keepdims=True), hits.sum(keepdims=True)),
        macro_recall=float(np.nanmean(recalls)),
        macro_recall_interval=_interval(macros, counts.sum(axis=1), hits),
        recalls=tuple(recalls.tolist()),
        recall_intervals=tuple(_recall_interval(int(row[i]), int(row.sum())) for i, row in enumerate(counts)),
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


def _bootstrap(counts: NDArray[np.int64], samples: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return accuracy and macro recall of photos drawn with replacement, given their confusion matrix; each [samples].

    Drawing photos is drawing cells of the matrix: the same statistic, without a loop over photos. Empty cells are never
    drawn, and a few samples are drawn at once: a thousand labels have a million cells.
    """
    rows, columns = np.nonzero(counts)
    cells, first = counts[rows, columns], np.unique(rows, return_index=True)[1]
    photos = cells.sum()
    rng = np.random.default_rng(seed)
    accuracies, recalls = np.empty(samples), np.empty(samples)
    for start in range(0, samples, _AT_ONCE):
        part = slice(start, min(start + _AT_ONCE, samples))
        drawn = rng.multinomial(photos, cells / photos, size=part.stop - start)
        hits = np.add.reduceat(np.where(rows == columns, drawn, 0), first, axis=1).astype(float)
        totals = np.add.reduceat(drawn, first, axis=1)
        recall = np.divide(hits, totals, out=np.full(hits.shape, np.nan), where=totals > 0)
        accuracies[part], recalls[part] = hits.sum(axis=1) / photos, np.nanmean(recall, axis=1)
    return accuracies, recalls


def _interval(values: NDArray[np.float64], photos: NDArray[np.int64], hits: NDArray[np.float64]) -> Interval:
    """Return the interval of bootstrap values; photos and hits are counts per group whose mean rate it is of."""
    if (hits == photos).all():
        return Interval(_least_rate(photos[photos > 0]), 1.0)
    if not hits.any():
        return Interval(0.0, 1.0 - _least_rate(photos[photos > 0]))
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))


def _least_rate(photos: NDArray[np.int64]) -> float:
    """Return the least mean rate of groups of so many photos at which all being right is no rarer than 2.5 %.

    Where nothing went wrong, drawing photos again never shows a mistake, and the bootstrap would be sure after one
    photo. For one group this is the bound of Clopper and Pearson 1934, 0.025 ** (1 / photos). For more, the rates r
    with the least mean and product(r ** photos) = 0.025 are in proportion to the photos, as far as they are below 1.
    """

    def rates(factor: float) -> NDArray[np.float64]:
        return np.asarray(np.minimum(1.0, factor * photos))

    def excess(factor: float) -> float:
        return float((photos * np.log(rates(factor))).sum() - np.log(_TAIL))

    # at the lower end each rate is below 1e-9, and all photos right far rarer than 2.5 %
    low, high = 1e-9 / float(photos.max()), 1.0 / float(photos.min())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return float(rates(high).mean())


def _recall_interval(hits: int, photos: int) -> Interval | None:
    return Interval(*share_interval(hits, photos)) if photos else None


def _check(probabilities: Probabilities, labels: ClassIndices) -> None:
    if len(labels) == 0:
        raise ValueError("no photos to evaluate on")
    if len(probabilities) != len(labels):
        raise ValueError(f"{len(probabilities)} answers for {len(labels)} photos")
