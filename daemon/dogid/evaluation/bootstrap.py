"""Bootstrap intervals of accuracy and recalls, of photos or of whole groups of them (Efron 1979)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.intervals import Interval, share_interval

_AT_ONCE = 100  # bootstrap samples
_BISECTIONS = 100  # halve an interval of at most 1: more cannot be expressed
_TAIL = 0.025  # the probability that a 95 % interval leaves out at either end


@dataclass(frozen=True, slots=True)
class RateIntervals:
    """95 % intervals of an evaluation's rates."""

    accuracy: Interval
    macro_recall: Interval
    recalls: tuple[Interval | None, ...]
    """Per label; None where nothing can be said."""


def bootstrap_photos(counts: NDArray[np.int64], samples: int, seed: int) -> RateIntervals:
    """Return intervals for photos drawn one by one, given counts [true class, prediction]; recalls have Wilson's."""
    hits, photos = np.diag(counts), counts.sum(axis=1)
    accuracies, macros = _draw_photos(counts, samples, seed)
    return RateIntervals(
        accuracy=_interval(accuracies, photos.sum(keepdims=True), hits.sum(keepdims=True)),
        macro_recall=_interval(macros, photos, hits),
        recalls=tuple(
            Interval(*share_interval(int(hit), int(count))) if count else None
            for hit, count in zip(hits, photos, strict=True)
        ),
    )


def bootstrap_groups(
    labels: NDArray[np.integer],
    right: NDArray[np.bool_],
    groups: NDArray[np.integer],
    classes: int,
    samples: int,
    seed: int,
) -> RateIntervals:
    """Return intervals for whole groups drawn with replacement.

    labels (below classes), right (whether the answer is) and groups are [photos]. A label whose photos are all of one
    group has no interval. Where all or no answers are right, a group counts as one photo.
    """
    names, members = np.unique(groups, return_inverse=True)
    cells = members * classes + labels
    shape = (len(names), classes)
    totals = np.bincount(cells, minlength=len(names) * classes).reshape(shape)
    hits = np.bincount(cells, weights=right, minlength=len(names) * classes).reshape(shape)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=samples).astype(float)
    drawn_hits, drawn_totals = drawn @ hits, drawn @ totals
    recalls = np.divide(drawn_hits, drawn_totals, out=np.full(drawn_hits.shape, np.nan), where=drawn_totals > 0)
    # counted in groups: all right, all wrong, or neither
    with_label = (totals > 0).sum(axis=0)
    mean_hits = np.divide(
        (hits * with_label).sum(axis=0), totals.sum(axis=0), out=np.zeros(classes), where=with_label > 0
    )
    return RateIntervals(
        accuracy=_interval(
            drawn_hits.sum(axis=1) / drawn_totals.sum(axis=1),
            np.array([len(names)]),
            np.array([len(names) * right.mean()]),
        ),
        macro_recall=_interval(np.nanmean(recalls, axis=1), with_label, mean_hits),
        recalls=tuple(
            _interval(recalls[:, i], with_label[i : i + 1], mean_hits[i : i + 1]) if with_label[i] > 1 else None
            for i in range(classes)
        ),
    )


def _draw_photos(counts: NDArray[np.int64], samples: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def _interval(values: NDArray[np.float64], photos: NDArray[np.int64], hits: NDArray[np.number[Any]]) -> Interval:
    """Return the interval of bootstrap values; photos and hits are counts per class whose mean rate it is of."""
    if (hits == photos).all():
        return Interval(_least_rate(photos[photos > 0]), 1.0)
    if not hits.any():
        return Interval(0.0, 1.0 - _least_rate(photos[photos > 0]))
    low, high = np.nanquantile(values, (0.025, 0.975))
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
