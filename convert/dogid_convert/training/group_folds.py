"""Folds of whole groups: a network is evaluated on sources, cameras, places or bursts that it has never seen."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.dataset.photo_groups import number_groups
from dogid.errors import UsageError

FOLDS = 5
MAX_FOLD_SHARE = 1 / 3
"""A group with more of the photos than this is always trained on: too little would be left to learn from."""
ALWAYS_TRAINED = -1
"""Instead of a fold's number."""


def find_groups(photos: Sequence[LabelledPhoto], pattern: re.Pattern[str]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the number of each photo's group, and the names of the groups by their numbers.

    A group is what pattern finds at the beginning of a file's name. Raise UsageError with fewer than two groups that
    can be left out.
    """
    groups, names = number_groups(photos, pattern)
    folds = deal_folds(np.array([photo.label for photo in photos]), groups)
    foldable = len(np.unique(groups[folds != ALWAYS_TRAINED]))
    if foldable < 2:
        raise UsageError(
            f"--group-by {pattern.pattern!r} finds {foldable} group(s) to leave out: two are needed. A group with more "
            "than a third of the photos, or with all photos of a label, cannot be left out"
        )
    return groups, names


def deal_folds(labels: NDArray[np.integer], groups: NDArray[np.intp], count: int = FOLDS) -> NDArray[np.intp]:
    """Return the number of each photo's fold, below count, or `ALWAYS_TRAINED`.

    A group is never divided, and each label is spread over the folds as evenly as groups allow. Every label occurs
    outside each fold, else a head would be judged that lacks it: a group with all photos of a label is always trained
    on. labels and groups are [photos].
    """
    sizes = np.bincount(groups)
    totals = Counter(labels.tolist())
    contents = {int(group): Counter(labels[groups == group].tolist()) for group in np.flatnonzero(sizes)}
    foldable = [
        int(group)
        for group in np.argsort(-sizes, kind="stable")
        if 0 < sizes[group] <= MAX_FOLD_SHARE * len(labels)
        and all(totals[label] > held for label, held in contents[int(group)].items())
    ]
    balances = [_FoldBalance(totals) for _ in range(min(count, len(foldable)))]
    folds = np.full(len(labels), ALWAYS_TRAINED, np.intp)
    for group in foldable:
        fitting = [at for at, balance in enumerate(balances) if balance.leaves_some_outside(contents[group])]
        if fitting:
            best = min(fitting, key=lambda at: (balances[at].cost_of(contents[group]), at))
            balances[best].add(contents[group])
            folds[groups == group] = best
    return folds


def weigh_by_group(groups: NDArray[np.intp], power: float) -> NDArray[np.float32]:
    """Return how much each photo counts, 1 in the mean, where its group's photos count (their number) ^ -power.

    With power 1 all groups count alike, with 0 all photos; groups [photos] are their numbers. Photos of one source
    resemble each other: the thousandth says less about photos from elsewhere than the first of another source.
    """
    sizes: NDArray[np.float64] = np.bincount(groups)[groups].astype(np.float64)
    weights = sizes**-power
    return np.asarray(weights / weights.mean(), np.float32)


class _FoldBalance:
    """The contents of a fold as shares of each label's photos: rare labels weigh as much as frequent ones."""

    def __init__(self, totals: Counter[int]) -> None:
        self._totals = totals
        self._held: Counter[int] = Counter()

    def add(self, labels: Counter[int]) -> None:
        self._held.update(labels)

    def leaves_some_outside(self, labels: Counter[int]) -> bool:
        """Whether each of these photos' labels would still occur outside the fold."""
        return all(self._held[label] + held < self._totals[label] for label, held in labels.items())

    def cost_of(self, labels: Counter[int]) -> float:
        """Return by how much these photos would raise the sum of the squared shares."""
        return sum(((self._held[i] + labels[i]) / total) ** 2 for i, total in self._totals.items()) - sum(
            (self._held[i] / total) ** 2 for i, total in self._totals.items()
        )
