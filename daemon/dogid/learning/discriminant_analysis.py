"""Linear discriminant analysis with a shrunk covariance that all labels share. In numpy alone.

The covariance is pooled over the labels and drawn towards a multiple of the identity, without which few photos say
nothing reliable about a thousand features: Ledoit and Wolf 2004; here cross-validation chooses how far.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PooledCovariance:
    """The means of the labels and the covariance around them, decomposed once for any shrinkage."""

    means: Matrix
    """[labels, width]."""
    shares: Matrix
    """[labels], of the weight of all samples."""
    variances: Matrix
    """[width], the covariance's eigenvalues."""
    axes: Matrix
    """[width, width], its eigenvectors as columns."""

    @classmethod
    def measure(
        cls, inputs: NDArray[np.floating], labels: NDArray[np.integer], sample_weight: Matrix, count: int
    ) -> "PooledCovariance":
        """Return those of inputs [samples, width], each of whose labels [samples], indices below count, occurs."""
        members = np.eye(count)[labels] * sample_weight[:, None]
        totals = members.sum(axis=0)
        kind = inputs.dtype
        means = (members.T.astype(kind) @ inputs).astype(np.float64) / totals[:, None]
        weights = np.sqrt(sample_weight / totals.sum()).astype(kind)
        around = (inputs - means.astype(kind)[labels]) * weights[:, None]
        variances, axes = np.linalg.eigh(around.T @ around)
        return cls(means, totals / totals.sum(), np.maximum(variances, 0).astype(np.float64), axes.astype(np.float64))

    def fit_lda(self, shrinkage: float) -> tuple[Matrix, Matrix]:
        """Return weights [width, labels] and biases [labels]; shrinkage, above 0 to 1, is the identity's part."""
        average = max(float(self.variances.mean()), 1e-12)
        shrunk = (1 - shrinkage) * self.variances + shrinkage * average
        weights = self.axes @ ((self.axes.T @ self.means.T) / shrunk[:, None])
        biases = np.log(self.shares) - 0.5 * np.einsum("lw,wl->l", self.means, weights)
        return weights, biases
