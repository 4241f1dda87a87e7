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


def find_clusters(embeddings: Floats, folders: Sequence[str], taken_at: Sequence[float | None]) -> NDArray[np.intp]:
    """Return the number of each photo's cluster, from 0 on, given embeddings [photos, width], folders and times."""
    count = len(embeddings)
    joined = _Joined(count)
    normal = normalise(embeddings)
    for at in range(0, count, _ROWS):
        for first, second in np.argwhere(normal[at : at + _ROWS] @ normal[at:].T >= SIMILARITY):
            joined.join(first + at, second + at)
    dated = sorted((folders[at], time, at) for at, time in enumerate(taken_at) if time is not None)
    for (folder, time, at), (next_folder, next_time, next_at) in itertools.pairwise(dated):
        if folder == next_folder and next_time - time <= BURST_S:
            joined.join(at, next_at)
    return joined.numbers()


def normalise(embeddings: Floats) -> Floats:
    """Return embeddings [photos, width] of length 1, so that products of them are cosines."""
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray(embeddings / lengths, np.float32)


class _Joined:
    """Disjoint sets (union-find with path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, first: int, second: int) -> None:
        low, high = sorted((self._root(int(first)), self._root(int(second))))
        self._parent[high] = low

    def numbers(self) -> NDArray[np.intp]:
        roots = np.array([self._root(at) for at in range(len(self._parent))], np.intp)
        return np.unique(roots, return_inverse=True)[1].astype(np.intp)

    def _root(self, at: int) -> int:
        while self._parent[at] != at:
            self._parent[at] = self._parent[self._parent[at]]
            at = self._parent[at]
        return at
