"""Folds of whole groups: a network is evaluated on sources, cameras, places or bursts that it has never seen."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.errors import UsageError
from dogid_convert.training.splits import extract_group

FOLDS = 5
MAX_FOLD_SHARE = 1 / 3
"""A group with more of the photos than this is always trained on: too little would be left to learn from."""
ALWAYS_TRAINED = -1
"""Instead of a fold's number."""


def find_groups(photos: Sequence[LabelledPhoto], pattern: re.Pattern[str]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the number of each photo's group, and the names of the groups by their numbers.

    A group is what pattern finds at the beginning of a file's name. Raise UsageError with fewer than two groups that
    are small enough to be left out.
    """
    names, numbers = np.unique([extract_group(photo.path.name, pattern) for photo in photos], return_inverse=True)
    foldable = int((np.bincount(numbers) <= MAX_FOLD_SHARE * len(photos)).sum())
    if foldable < 2:
        raise UsageError(f"--group-by {pattern.pattern!r} finds {foldable} group(s) to leave out: two are needed")
    return numbers.astype(np.intp), tuple(map(str, names))


def deal_folds(labels: NDArray[np.integer], groups: NDArray[np.intp], count: int = FOLDS) -> NDArray[np.intp]:
    """Return the number of each photo's fold, below count, or `ALWAYS_TRAINED`.

    A group is never divided, and each label is spread over the folds as evenly as groups allow. labels and groups are
    [photos].
    """
    sizes = np.bincount(groups)
    always_trained = np.flatnonzero(sizes > MAX_FOLD_SHARE * len(labels))
    foldable = [
        int(group) for group in np.argsort(-sizes, kind="stable") if sizes[group] and group not in always_trained
    ]
    balances = [_FoldBalance(labels) for _ in range(min(count, len(foldable)))]
    folds = np.full(len(labels), ALWAYS_TRAINED, np.intp)
    for group in foldable:
        members = groups == group
        counts = Counter(labels[members].tolist())
        best = min(range(len(balances)), key=lambda i: (balances[i].cost_of(counts), i))
        balances[best].add(counts)
        folds[members] = best
    return folds


class _FoldBalance:
    """The contents of a fold as shares of each label's photos: rare labels weigh as much as frequent ones."""

    def __init__(self, labels: NDArray[np.integer]) -> None:
        self._totals = Counter(labels.tolist())
        self._held: Counter[int] = Counter()

    def add(self, labels: Counter[int]) -> None:
        self._held.update(labels)

    def cost_of(self, labels: Counter[int]) -> float:
        """Return by how much these photos would raise the sum of the squared shares."""
        return sum(((self._held[i] + labels[i]) / total) ** 2 for i, total in self._totals.items()) - sum(
            (self._held[i] / total) ** 2 for i, total in self._totals.items()
        )
