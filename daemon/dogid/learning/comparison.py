"""What two models answered to the same photos, in clusters of near-duplicates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two models answered to the same photos."""

    before: NDArray[np.bool_]
    """[photos], whether the former model is right."""
    after: NDArray[np.bool_]
    clusters: NDArray[np.intp]
    labels: NDArray[np.intp]
    """[photos], the true ones, places in the list of labels."""

    def select(self, kept: NDArray[np.bool_]) -> "Comparison":
        """Return the photos of a mask [photos]."""
        return Comparison(self.before[kept], self.after[kept], self.clusters[kept], self.labels[kept])

    def share_right(self) -> tuple[float, float]:
        """Return which share of the clusters, of which there is at least one, was right before and after."""
        weights = 1.0 / np.bincount(self.clusters)[self.clusters]
        return float(weights @ self.before / weights.sum()), float(weights @ self.after / weights.sum())

    def count_clusters(self) -> tuple[int, int, int]:
        """Return how many clusters there are, and in how many more photos are right after, and fewer."""
        difference = np.zeros(int(self.clusters.max(initial=-1)) + 1, np.int64)
        np.add.at(difference, self.clusters, self.after.astype(np.int64) - self.before)
        return len(np.unique(self.clusters)), int((difference > 0).sum()), int((difference < 0).sum())
