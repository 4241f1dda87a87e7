"""Folds of cross-validation: whole clusters, each label spread evenly."""

import numpy as np
from numpy.typing import NDArray

FOLDS = 5


def deal_clusters(labels: NDArray[np.intp], clusters: NDArray[np.intp], count: int = FOLDS) -> NDArray[np.intp]:
    """Return the number of each photo's fold, below count, given labels and clusters [photos].

    A cluster is never divided. A label with fewer clusters than folds is in some folds only.
    """
    numbers, first = np.unique(clusters, return_index=True)
    of_cluster = np.zeros(int(clusters.max(initial=-1)) + 1, np.intp)
    order = np.lexsort((numbers, labels[first]))
    # one sequence over all labels: small ones do not all begin in the first fold
    of_cluster[numbers[order]] = np.arange(len(numbers)) % count
    return of_cluster[clusters]
