"""Embeddings with each feature at mean 0 and standard deviation 1, in as few dimensions as the samples span.

Without standardisation, an L2 penalty weighs heavily on features with small values and hardly on those with large
ones. A rotation changes neither the penalty nor the predictions, so both kinds of head are fitted in a space of
min(samples, width) dimensions: faster where there are fewer samples than features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid_convert.training.head import Floats, Head

Matrix = NDArray[np.float64]

_LEAST_DEVIATION = 0.1
"""Of the mean deviation; a feature with less is divided by this. Lower: a feature that is zero on nearly all training
photos decides alone where it is not; higher: small features count less, as without standardisation."""


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
        mean, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.maximum(scale, _LEAST_DEVIATION * scale.mean()) if scale.any() else np.ones_like(scale)
        rotation = None
        if len(values) < values.shape[1]:
            rotation = np.linalg.svd((values - mean) / scale, full_matrices=False)[2].T
        return cls(mean, scale, rotation)

    def apply(self, embeddings: Floats) -> Matrix:
        """Return coordinates [photos, dimensions] for embeddings [photos, width]."""
        values: Matrix = (embeddings - self.mean) / self.scale
        return values if self.rotation is None else values @ self.rotation

    def fold(self, weights: Matrix, biases: Matrix) -> Head:
        """Return the head on embeddings that is the same as these weights [dimensions, labels] on coordinates."""
        on_features = weights if self.rotation is None else self.rotation @ weights
        on_embeddings = on_features / self.scale[:, None]
        return Head(on_embeddings.astype(np.float32), (biases - self.mean @ on_embeddings).astype(np.float32))
