"""The rows of the labels that a model already has: what corrections among them change.

The parent's rows stay. The difference between two layers is added to them: one fitted to the stored photos and the
corrected ones, one to the stored photos alone. Without corrections there is none, however the parent's last layer was
made. By layers without a fold, the old rows are judged on photos that they were not fitted to.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.discriminant_analysis import PooledCovariance
from dogid.learning.logistic_regression import fit_softmax, multiply
from dogid.learning.photos import Check, Indices
from dogid.learning.standardisation import Floats, Matrix

_L2 = 100.0
"""What training chose most often. Lower: a few corrections move more; higher: they move less."""
_MOST_FITTED = 20
"""Labels; layers of more come from discriminant analysis, which takes no longer for 300 labels than for 3."""
_SHRINKAGE = 0.3
_UNSEEN = -10.0  # bias of a label without photos in a part: not impossible, but never the answer

Layer = tuple[Matrix, Matrix]
"""Weights [dimensions, labels] and biases [labels]."""


@dataclass(frozen=True, slots=True)
class OldPhotos:
    """Photos with labels of the old rows."""

    coordinates: Floats
    """[photos, dimensions]."""
    labels: Indices
    """[photos], below count."""
    weights: Matrix
    """[photos], how much each counts."""
    is_correction: NDArray[np.bool_]
    """[photos], whether it is not stored in the parent."""
    folds: Indices
    """[photos]."""
    count: int
    """Of labels."""


@dataclass(frozen=True, slots=True)
class OldRows:
    """How the old rows do on photos that they were not fitted to, and how they change."""

    before: Matrix
    """[photos, labels], logits as the parent's, by layers without the photo's fold and without corrections."""
    after: Matrix
    """The same, with the corrections outside of the fold."""
    change: Layer
    """To be added to the parent's rows, on coordinates; zeros without corrections."""
    changes_of_folds: tuple[Layer, ...]
    """The same, without each fold."""
    befores_of_folds: tuple[Layer, ...]
    """The layers that `before` is by."""


def fit_old_rows(photos: OldPhotos, parent_logits: Matrix, folds: int, check: Check) -> OldRows:
    """Return the old rows' change and their logits, given the parent's logits [photos, labels] for its photos."""
    inputs = photos.coordinates
    stored = ~photos.is_correction
    start = np.zeros((inputs.shape[1], photos.count)), np.zeros(photos.count)
    whole = _fit(inputs, photos, stored, start, check)
    scale, offsets = _match(_apply(whole, inputs[stored]), parent_logits[stored])
    before, after = np.empty_like(parent_logits), np.empty_like(parent_logits)
    changes, befores = list[Layer](), list[Layer]()
    for fold in range(folds):
        inside = photos.folds == fold
        without = _fit(inputs, photos, stored & ~inside, whole, check)
        corrected = _correct(inputs, photos, ~inside, without, check)
        before[inside] = _apply(without, inputs[inside]) * scale + offsets
        after[inside] = _apply(corrected, inputs[inside]) * scale + offsets
        changes.append(_subtract(corrected, without, scale))
        befores.append((without[0] * scale, without[1] * scale + offsets))
    every = np.ones_like(stored)
    change = _subtract(_correct(inputs, photos, every, whole, check), whole, scale)
    return OldRows(before, after, change, tuple(changes), tuple(befores))


def _fit(inputs: Floats, photos: OldPhotos, chosen: NDArray[np.bool_], start: Layer, check: Check) -> Layer:
    inputs, labels, weights = inputs[chosen], photos.labels[chosen], photos.weights[chosen]
    if photos.count <= _MOST_FITTED:
        return fit_softmax(inputs, labels, weights, _L2, start, check)
    check()
    occurring, places = np.unique(labels, return_inverse=True)
    covariance = PooledCovariance.measure(inputs, places, weights, len(occurring))
    layer = np.zeros((inputs.shape[1], photos.count)), np.full(photos.count, _UNSEEN)
    layer[0][:, occurring], layer[1][occurring] = covariance.fit_lda(_SHRINKAGE)
    return layer


def _correct(inputs: Floats, photos: OldPhotos, chosen: NDArray[np.bool_], start: Layer, check: Check) -> Layer:
    """Return the layer with the corrections, which is start where there are none."""
    return _fit(inputs, photos, chosen, start, check) if photos.is_correction[chosen].any() else start


def _apply(layer: Layer, inputs: Floats) -> Matrix:
    return multiply(inputs, layer[0]) + layer[1]


def _match(fitted: Matrix, parent: Matrix) -> tuple[float, Matrix]:
    """Return the factor and the offsets [labels] that bring a layer's logits nearest to the parent's.

    The factor is the parent's temperature, the offsets are what it adds for labels that are likelier in use.
    """
    own, other = _centre(fitted), _centre(parent)
    own_mean, other_mean = own.mean(axis=0), other.mean(axis=0)
    around = own - own_mean
    spread = float((around**2).sum())
    scale = float((around * (other - other_mean)).sum()) / spread if spread > 0 else 1.0
    scale = scale if scale > 0 else 1.0
    return scale, other_mean - scale * own_mean


def _centre(logits: Matrix) -> Matrix:
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))


def _subtract(layer: Layer, former: Layer, scale: float) -> Layer:
    return (layer[0] - former[0]) * scale, (layer[1] - former[1]) * scale
