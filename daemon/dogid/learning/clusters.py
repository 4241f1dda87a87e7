"""Clusters of photos that are nearly the same: a burst counts once, when it is learned and when it is judged by."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.learning.standardisation import Floats

SIMILARITY = 0.98
"""The least cosine between embeddings of near-duplicates. Lower: different photos count once, and few are left to judge
by; higher: frames of one burst count as so many proofs."""
BURST_S = 60.0
"""Photos of one folder that follow one another within so many seconds show the same. Longer: a visit of an hour is one
proof; shorter: slow bursts are many."""
_ROWS = 500  # photos compared with all others at a time; more need memory, fewer take longer


def find_clusters(
    parts: Sequence[Floats], folders: Sequence[str] = (), taken_at: Sequence[float | None] = ()
) -> NDArray[np.intp]:
    """Return the number of each photo's cluster, from 0 on, of all photos of parts [photos, width] one after the other.

    folders and taken_at (seconds) are those of the last photos; of the others neither is known.
    """
    ends = np.cumsum([len(part) for part in parts])
    normal = np.empty((ends[-1], parts[0].shape[1]), np.float32)  # filled part by part: a second copy is 15 MB of 3,000
    for part, end in zip(parts, ends, strict=True):
        normal[end - len(part) : end] = normalise(part)
    clusters = _join_similar(normal)
    start = len(normal) - len(taken_at)
    dated = sorted((folders[at], time, start + at) for at, time in enumerate(taken_at) if time is not None)
    for (folder, time, at), (next_folder, next_time, next_at) in itertools.pairwise(dated):
        if folder == next_folder and next_time - time <= BURST_S:
            clusters[clusters == clusters[next_at]] = clusters[at]
    return np.unique(clusters, return_inverse=True)[1].astype(np.intp)


def _join_similar(normal: Floats) -> NDArray[np.intp]:
    """Return connected components of embeddings [photos, width] of length 1, without a list of all their pairs."""
    clusters = np.arange(len(normal), dtype=np.intp)
    has_twin = np.zeros(len(normal), bool)
    for at in range(0, len(normal), _ROWS):
        similar = normal[at : at + _ROWS] @ normal[at:].T >= SIMILARITY
        similar[np.arange(len(similar)), np.arange(len(similar))] = False
        has_twin[at : at + _ROWS] |= similar.any(axis=1)
        has_twin[at:] |= similar.any(axis=0)
    rest = np.flatnonzero(has_twin)
    while len(rest):  # what is near the first photo, what is near that, and so on; each photo is asked once
        number, border, rest = rest[0], rest[:1], rest[1:]
        while len(border) and len(rest):
            near = np.zeros(len(rest), bool)
            for at in range(0, len(border), _ROWS):
                near |= (normal[rest] @ normal[border[at : at + _ROWS]].T >= SIMILARITY).any(axis=1)
            border, rest = rest[near], rest[~near]
            clusters[border] = number
    return clusters


def normalise(embeddings: Floats) -> Floats:
    """Return embeddings [photos, width] of length 1, so that products of them are cosines."""
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray(embeddings / lengths, np.float32)
