"""Clusters of photos that are nearly the same: bursts, and one picture found twice.

Cross-validation with one of them on either side would count what was learned by heart.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dogid.dataset.labelled_photos import Dataset
from dogid.file_names import shown_name
from dogid_convert.training.head import Floats

SIMILARITY = 0.8
"""The least cosine between standardised embeddings of near-duplicates. Lower: photos that only resemble each other are
kept together, and little is left to judge on; higher: frames of one burst end up on both sides."""
_ROWS = 200  # photos compared with all others at a time; more need memory, fewer take longer


def find_near_duplicates(embeddings: Floats) -> NDArray[np.intp]:
    """Return the number of the cluster of each photo, from 0 on, given embeddings [photos, width]."""
    values = embeddings - embeddings.mean(axis=0)
    values = values / np.maximum(values.std(axis=0), 1e-3 * max(float(values.std()), 1e-12))
    values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    # clusters grow block by block: all pairs at once would take memory by the square of the photos that are alike
    clusters = np.arange(len(values), dtype=np.intp)
    for at in range(0, len(values), _ROWS):
        first, second = np.nonzero(values[at : at + _ROWS] @ values[at:].T >= SIMILARITY)
        clusters = _join(clusters, first + at, second + at)
    return clusters


def _join(clusters: NDArray[np.intp], first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return clusters [photos] joined where first [pairs] and second [pairs], indices of photos, are alike."""
    count, ones = int(clusters.max()) + 1, np.ones(len(first), bool)
    graph = coo_matrix((ones, (clusters[first], clusters[second])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)[clusters]


def count_known(clusters: NDArray[np.intp], held_out: NDArray[np.bool_]) -> int:
    """Return how many of the held-out photos have a near-duplicate among the others; both are [photos]."""
    return int(np.isin(clusters[held_out], clusters[~held_out]).sum())


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Photos that are nearly the same as others."""

    photos: int
    """How many have at least one other in their cluster."""
    across_labels: tuple[tuple[str, ...], ...]
    """The files, inside the folder of photos, of each cluster with more than one label: some may be mislabelled."""
    always_trained: tuple["Alike", ...] = ()
    """The clusters that cross-validation leaves in every training part, and judges nothing by."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A cluster of several photos."""

    file: str
    """The first one's name inside the folder of photos."""
    photos: int


def describe_clusters(
    dataset: Dataset, clusters: NDArray[np.intp], unjudged: NDArray[np.bool_] | None = None
) -> NearDuplicates:
    """Return what the clusters [photos] of a dataset's photos say about it.

    unjudged [photos] is a mask of those that cross-validation always trains on, if they are judged by it.
    """
    sizes = np.bincount(clusters)
    labels = np.array([photo.label for photo in dataset.photos])
    names = [shown_name(os.fsencode(photo.path.relative_to(dataset.root))) for photo in dataset.photos]
    always = [] if unjudged is None else [at for at in np.unique(clusters[unjudged]) if sizes[at] > 1]
    across = [at for at in np.flatnonzero(sizes > 1) if len(np.unique(labels[clusters == at])) > 1]
    return NearDuplicates(
        photos=int(sizes[sizes > 1].sum()),
        across_labels=tuple(tuple(names[i] for i in np.flatnonzero(clusters == at).tolist()) for at in across),
        always_trained=tuple(Alike(names[int(np.argmax(clusters == at))], int(sizes[at])) for at in always),
    )
