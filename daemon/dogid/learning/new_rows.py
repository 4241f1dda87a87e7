"""Rows for labels that people added: fitted against the old rows, which stay as they are.

A row begins as that of a discriminant analysis whose covariance is the old photos' (few photos give none of their own),
drawn far towards the identity, for photos from elsewhere differ in ways that the stored ones do not show. A logistic
regression on that row, held to it by L2, takes it from there. Last, its bias is set by cross-validation so that hardly
any stored photo is lost to it. Measured by tests/benchmarks/learning_curve.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.discriminant_analysis import PooledCovariance
from dogid.learning.logistic_regression import minimise, multiply
from dogid.learning.photos import Check, Indices
from dogid.learning.standardisation import Floats, Matrix

_SHRINKAGE = 0.8
"""Of the covariance. Lower: better on photos like the stored ones, worse on other sources' (recall of 20 photos at half
a point of loss 0.91 at 0.8, 0.81 at 0.3); 1.0: worse on both."""
_L2 = 300.0
"""How strongly a row is held to the discriminant analysis. Lower: fewer photos from elsewhere are recognised; higher:
stored ones that resemble the new label are lost earlier."""
_SHARE = 0.1
"""What a new label's photos weigh together, of the stored ones. It moves the balance, which the bias sets anyway."""
_USUAL_SCALE = 0.1  # of logits to discriminant scores, where one old label alone shows none
_LOSS = 0.0025
"""Share of the stored photos that may be lost to all new labels together, in cross-validation. On photos from sources
that are not stored it is about twice that. Higher: more of the new label is recognised, and more of the old lost."""
_LOW = 0.1
"""Where the lowest tenth of a label's own photos is above all stored ones, its bias goes halfway between them."""


@dataclass(frozen=True, slots=True)
class Background:
    """The stored photos that new labels are to be distinguished from."""

    coordinates: Floats
    """[photos, dimensions]."""
    labels: Indices
    """[photos], below count; what a photo shows, or what the parent answered to it."""
    logits: Matrix
    """[photos, old labels], by old rows that were not fitted to the photo."""
    shares: Matrix
    """[old labels], of the photos."""
    covariance: PooledCovariance
    """Of the photos around their labels' means."""
    occurring: Indices
    """The labels whose means those are."""

    @property
    def reference(self) -> Matrix:
        """[photos], the old labels' mean logit: what a new label's logit is relative to."""
        return self.logits @ self.shares


@dataclass(frozen=True, slots=True)
class NewPhotos:
    """The photos of new labels."""

    coordinates: Floats
    labels: Indices
    """[photos], below count."""
    logits: Matrix
    """[photos, old labels]."""
    weights: Matrix
    """[photos], how much each counts: a cluster of near-duplicates as much as one photo."""
    count: int

    def select(self, kept: NDArray[np.bool_]) -> "NewPhotos":
        """Return the photos of a mask [photos]."""
        return NewPhotos(self.coordinates[kept], self.labels[kept], self.logits[kept], self.weights[kept], self.count)


@dataclass(frozen=True, slots=True)
class NewRows:
    """Rows relative to the old labels' mean logit."""

    weights: Matrix
    """[dimensions, new labels]."""
    biases: Matrix
    """[new labels]."""

    def logits(self, coordinates: Floats, reference: Matrix) -> Matrix:
        """Return logits [photos, new labels], given coordinates and the old labels' mean logit [photos]."""
        return multiply(coordinates, self.weights) + self.biases + reference[:, None]

    def lowered(self, thresholds: Matrix) -> "NewRows":
        """Return the rows with biases lower by thresholds [new labels]."""
        return NewRows(self.weights, self.biases - thresholds)


def measure_background(coordinates: Floats, labels: Indices, logits: Matrix) -> Background:
    """Return the background of stored photos, given coordinates, labels [photos] and old logits [photos, labels]."""
    count = logits.shape[1]
    occurring, places = np.unique(labels, return_inverse=True)
    covariance = PooledCovariance.measure(coordinates, places, np.ones(len(labels)), len(occurring))
    shares = np.bincount(labels, minlength=count) / len(labels)
    return Background(coordinates, labels, logits, shares, covariance, occurring.astype(np.intp))


def fit_new_rows(background: Background, photos: NewPhotos, check: Check) -> NewRows:
    """Return the rows of new labels, each of which occurs; without their final biases."""
    start, biases = _begin(background, photos)
    return _refine(background, photos, start, biases, check)


def find_thresholds(margins: Matrix, right: NDArray[np.bool_], own: Matrix, labels: Indices, count: int) -> Matrix:
    """Return by how much each new row's bias is lowered, [new labels].

    margins [stored photos, new labels] are a new label's logit less the best old one, of rows not fitted to the photo;
    right [stored photos] whether the old rows are. own [new photos] are the margins of new labels' own photos, in the
    same way, nan where there were too few; labels [new photos] which label that is.
    """
    allowed = round(_LOSS / count * len(margins))
    found = np.zeros(count)
    for at in range(count):
        lost = np.sort(margins[right, at])[::-1]
        if not len(lost):
            continue
        found[at] = np.nextafter(lost[min(allowed, len(lost) - 1)], np.inf)
        mine = own[labels == at]
        mine = mine[np.isfinite(mine)]
        if len(mine):
            lowest = float(np.quantile(mine, _LOW))
            if lowest > lost[0]:
                found[at] = (lowest + lost[0]) / 2
    return found


def _begin(background: Background, photos: NewPhotos) -> tuple[Matrix, Matrix]:
    """Return weights [dimensions, new labels] and biases by discriminant analysis, on the scale of the old logits."""
    covariance = background.covariance
    average = max(float(covariance.variances.mean()), 1e-12)
    shrunk = (1 - _SHRINKAGE) * covariance.variances + _SHRINKAGE * average
    occurring = background.occurring
    old, old_biases = _discriminate(covariance.means, covariance.axes, shrunk)
    shares = background.shares[occurring]
    means = _means(photos)
    new, new_biases = _discriminate(means, covariance.axes, shrunk)
    scale = _scale(multiply(background.coordinates, old) + old_biases, background.logits[:, occurring], shares)
    return (new - (old @ shares)[:, None]) * scale, (new_biases - old_biases @ shares) * scale


def _means(photos: NewPhotos) -> Matrix:
    members = np.eye(photos.count)[photos.labels] * photos.weights[:, None]
    return np.asarray(multiply(photos.coordinates.T, members).T / members.sum(axis=0)[:, None])


def _discriminate(means: Matrix, axes: Matrix, variances: Matrix) -> tuple[Matrix, Matrix]:
    weights = axes @ ((axes.T @ means.T) / variances[:, None])
    return weights, -0.5 * np.einsum("lw,wl->l", means, weights)


def _scale(scores: Matrix, logits: Matrix, shares: Matrix) -> float:
    """Return what brings scores [photos, labels] of a discriminant analysis onto the scale of logits [photos, labels].

    Discriminant analysis is far too sure; with a single label there is nothing to compare.
    """
    own, other = scores - (scores @ shares)[:, None], logits - (logits @ shares)[:, None]
    own, other = own - own.mean(axis=0), other - other.mean(axis=0)
    spread = float((own**2).sum())
    scale = float((own * other).sum()) / spread if spread > 0 else 0.0
    return scale if scale > 0 else _USUAL_SCALE


def _refine(background: Background, photos: NewPhotos, start: Matrix, biases: Matrix, check: Check) -> NewRows:
    """Return rows with the least penalised loss of the new labels against the old rows, which stay as they are."""
    inputs = np.concatenate([background.coordinates, photos.coordinates])
    stored, dimensions, count = len(background.coordinates), inputs.shape[1], photos.count
    old = np.concatenate([background.logits, photos.logits])
    best = old.max(axis=1)
    together = best + np.log(np.exp(old - best[:, None]).sum(axis=1))
    fixed = multiply(inputs, start) + biases + (old @ background.shares - together)[:, None]
    targets = np.zeros((len(inputs), count))
    targets[np.arange(stored, len(inputs)), photos.labels] = 1
    totals = np.bincount(photos.labels, weights=photos.weights, minlength=count)
    sample_weight = np.ones(len(inputs))
    sample_weight[stored:] = photos.weights * _SHARE * max(stored, 1) / totals[photos.labels]

    def evaluate(flat: Matrix) -> tuple[float, Callable[[], Matrix]]:
        check()
        moved, added = flat[: dimensions * count].reshape(dimensions, count), flat[dimensions * count :]
        logits = (
            fixed + multiply(inputs, moved) + added
        )  # of the new labels, where all old ones together have the logit 0
        top = np.maximum(logits.max(axis=1), 0.0)
        powers = np.exp(logits - top[:, None])
        total = powers.sum(axis=1) + np.exp(-top)
        losses = top + np.log(total) - (logits * targets).sum(axis=1)

        def differentiate() -> Matrix:
            error = (powers / total[:, None] - targets) * sample_weight[:, None]
            return np.concatenate([(multiply(inputs.T, error) + _L2 * moved).ravel(), error.sum(axis=0)])

        return float(sample_weight @ losses + _L2 / 2 * (moved**2).sum()), differentiate

    found = minimise(evaluate, np.zeros((dimensions + 1) * count))
    moved, added = found[: dimensions * count].reshape(dimensions, count), found[dimensions * count :]
    return NewRows(start + moved, biases + added)
