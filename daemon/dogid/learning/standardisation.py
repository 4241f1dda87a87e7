"""Embeddings with each feature at mean 0 and standard deviation 1, in as few dimensions as the samples span.

Without standardisation, an L2 penalty weighs heavily on features with small values and hardly on those with large
ones. A rotation changes neither the penalty nor the predictions, so both kinds of head are fitted in a space of
min(samples, width) dimensions: faster where there are fewer samples than features.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

_LEAST_DEVIATION = 0.1
"""Of the mean deviation; a feature with less is divided by this. Lower: a feature that is zero on nearly all training
photos decides alone where it is not; higher: small features count less, as without standardisation."""
_LEAST_VARIANCE = 1e-6
_LEAST_VARIANCE_IN_FLOAT64 = 1e-10
"""Of the largest; an axis with less is rounding."""
_ROWS = 500  # at a time; more need memory, fewer take longer


@dataclass(frozen=True, slots=True)
class Standardisation:
    """An affine map from embeddings to coordinates."""

    mean: Matrix
    """[width]."""
    scale: Matrix
    """[width], what each feature is divided by."""
    rotation: Matrix | None
    """[width, dimensions], with orthonormal columns; None where the coordinates are the features."""

    @classmethod
    def fit(cls, embeddings: Floats) -> "Standardisation":
        """Return the standardisation for embeddings [samples, width]."""
        values = embeddings.astype(np.float64)
        mean, scale = _measure(values)
        around, rotation = (values - mean) / scale, None
        if len(values) < values.shape[1] and around.any():
            rotation = _find_axes(around, _LEAST_VARIANCE_IN_FLOAT64).astype(np.float64)
        return cls(mean, scale, rotation)

    @classmethod
    def fit_principal(cls, parts: Sequence[Floats], most: int) -> "Standardisation":
        """Return the one whose coordinates are the principal axes of embeddings [samples, width], at most so many.

        The samples are those of all parts together. In float32 and by a few rows at a time: three digits of the axes
        are enough, and the memory of a small machine is not.
        """
        mean, scale = _measure_parts(parts)
        if sum(map(len, parts)) < parts[0].shape[1]:
            values = np.concatenate([_standardise(part, mean, scale) for part in parts])
            rotation = _find_axes(values, _LEAST_VARIANCE)[:, :most]
        else:
            products = _sum_products(parts, mean, scale)
            rotation = np.linalg.eigh(products)[1][:, ::-1][:, :most].astype(np.float32)
        return cls(mean, scale, rotation.astype(np.float64))

    def apply_in_float32(self, embeddings: Floats) -> Floats:
        """Return coordinates [photos, dimensions] as `apply`, in half of the memory."""
        rotation = np.eye(len(self.mean), dtype=np.float32) if self.rotation is None else self.rotation
        turn = rotation.astype(np.float32)
        found = np.empty((len(embeddings), turn.shape[1]), np.float32)
        for at in range(0, len(embeddings), _ROWS):
            found[at : at + _ROWS] = _standardise(embeddings[at : at + _ROWS], self.mean, self.scale) @ turn
        return found

    def apply(self, embeddings: Floats) -> Matrix:
        """Return coordinates [photos, dimensions] for embeddings [photos, width]."""
        values: Matrix = (embeddings - self.mean) / self.scale
        return values if self.rotation is None else values @ self.rotation

    def fold(self, weights: Matrix, biases: Matrix) -> tuple[Matrix, Matrix]:
        """Return weights [width, labels] and biases [labels] on embeddings, given those on coordinates."""
        on_features = weights if self.rotation is None else self.rotation @ weights
        on_embeddings = on_features / self.scale[:, None]
        return on_embeddings, biases - self.mean @ on_embeddings


def _find_axes(values: NDArray[np.floating], least: float) -> NDArray[np.floating]:
    """Return the principal axes [width, dimensions] of values [samples, width], fewer samples than width.

    The largest variance comes first; axes with less than a part of it, least, are left out. The smaller of both
    products has the same axes, and takes a quarter (90 samples of 1,280) to half (1,000) of the time of a singular
    value decomposition.
    """
    variances, sides = np.linalg.eigh(values @ values.T)
    kept = np.flatnonzero(variances > variances[-1] * least)[::-1]
    axes: NDArray[np.floating] = values.T @ (sides[:, kept] / np.sqrt(variances[kept]))
    return axes


def _sum_products(parts: Sequence[Floats], mean: Matrix, scale: Matrix) -> Matrix:
    """Return the products of features [width, width], summed over the rows of all parts.

    Of doubles, as numpy decomposes: given others, it would keep both. A function by itself, so that nothing else is
    held in memory while it decomposes, which takes five times as much as this.
    """
    products = np.zeros((len(mean), len(mean)), np.float32)
    for rows in _in_blocks(parts):
        values = _standardise(rows, mean, scale)
        products += values.T @ values
    return products.astype(np.float64)


def _in_blocks(parts: Sequence[Floats]) -> Iterator[Floats]:
    for part in parts:
        for at in range(0, len(part), _ROWS):
            yield part[at : at + _ROWS]


def _standardise(rows: Floats, mean: Matrix, scale: Matrix) -> Floats:
    return np.asarray((rows - mean.astype(np.float32)) / scale.astype(np.float32))


def _measure_parts(parts: Sequence[Floats]) -> tuple[Matrix, Matrix]:
    """Return the mean and the scale of each feature of the rows of all parts."""
    samples = sum(map(len, parts))
    mean = sum(rows.sum(axis=0, dtype=np.float64) for rows in _in_blocks(parts)) / samples
    squares = sum(((rows - mean) ** 2).sum(axis=0) for rows in _in_blocks(parts))
    return mean, _floor(np.sqrt(squares / samples))


def _measure(values: NDArray[np.floating]) -> tuple[Matrix, Matrix]:
    """Return the mean and the scale of each feature of values [samples, width]."""
    mean, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    return mean, _floor(scale)


def _floor(scale: Matrix) -> Matrix:
    return np.maximum(scale, _LEAST_DEVIATION * scale.mean()) if scale.any() else np.ones_like(scale)
