"""Embeddings with each feature at mean 0 and standard deviation 1, in as few dimensions as the samples span.

Without standardisation, an L2 penalty weighs heavily on features with small values and hardly on those with large
ones. A rotation changes neither the penalty nor the predictions, so both kinds of head are fitted in a space of
min(samples, width) dimensions: faster where there are fewer samples than features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

_LEAST_DEVIATION = 0.1
"""Of the mean deviation; a feature with less is divided by this. Lower: a feature that is zero on nearly all training
photos decides alone where it is not; higher: small features count less, as without standardisation."""
_LEAST_VARIANCE = 1e-6
"""Of the largest; an axis with less is rounding."""


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
        rotation = None
        if len(values) < values.shape[1]:
            rotation = np.linalg.svd((values - mean) / scale, full_matrices=False)[2].T
        return cls(mean, scale, rotation)

    @classmethod
    def fit_principal(cls, embeddings: Floats, most: int) -> "Standardisation":
        """Return the one whose coordinates are the principal axes of embeddings [samples, width], at most so many.

        In float32: three digits of the axes are enough, and the memory of a small machine is not.
        """
        mean, scale = _measure(embeddings)
        values = ((embeddings - mean) / scale).astype(np.float32)
        samples, width = values.shape
        if samples < width:  # the smaller of both products has the same axes
            variances, sides = np.linalg.eigh(values @ values.T)
            kept = np.flatnonzero(variances > variances[-1] * _LEAST_VARIANCE)[::-1][:most]
            rotation = values.T @ (sides[:, kept] / np.sqrt(variances[kept]))
        else:
            rotation = np.linalg.eigh(values.T @ values)[1][:, ::-1][:, :most]
        return cls(mean, scale, rotation.astype(np.float64))

    def apply(self, embeddings: Floats) -> Matrix:
        """Return coordinates [photos, dimensions] for embeddings [photos, width]."""
        values: Matrix = (embeddings - self.mean) / self.scale
        return values if self.rotation is None else values @ self.rotation

    def fold(self, weights: Matrix, biases: Matrix) -> tuple[Matrix, Matrix]:
        """Return weights [width, labels] and biases [labels] on embeddings, given those on coordinates."""
        on_features = weights if self.rotation is None else self.rotation @ weights
        on_embeddings = on_features / self.scale[:, None]
        return on_embeddings, biases - self.mean @ on_embeddings


def _measure(values: NDArray[np.floating]) -> tuple[Matrix, Matrix]:
    """Return the mean and the scale of each feature of values [samples, width]."""
    mean, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    return mean, np.maximum(scale, _LEAST_DEVIATION * scale.mean()) if scale.any() else np.ones_like(scale)
