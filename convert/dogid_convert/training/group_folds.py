"""Cross-validation by groups: a network is evaluated on sources, cameras or places that it has never seen."""

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


def make_group_folds(
    photos: Sequence[LabelledPhoto], pattern: re.Pattern[str]
) -> tuple[list[NDArray[np.bool_]], tuple[str, ...]]:
    """Return folds of whole groups, each as a mask [photos], and the groups that are too large to be left out.

    A group is what pattern finds at the beginning of a file's name. Raise UsageError with fewer than two groups.
    """
    groups = [extract_group(photo.path.name, pattern) for photo in photos]
    sizes = Counter(groups)
    always_trained = tuple(sorted(group for group, size in sizes.items() if size > MAX_FOLD_SHARE * len(photos)))
    foldable = [group for group in sizes if group not in always_trained]
    if len(foldable) < 2:
        raise UsageError(f"--group-by {pattern.pattern!r} finds {len(foldable)} group(s) to leave out: two are needed")
    members: list[set[str]] = [set() for _ in range(min(FOLDS, len(foldable)))]
    balances = [_FoldBalance(photos) for _ in members]
    for group in sorted(foldable, key=lambda name: (-sizes[name], name)):
        labels = Counter(photo.label for photo, of in zip(photos, groups, strict=True) if of == group)
        best = min(range(len(members)), key=lambda i: (balances[i].cost_of(labels), i))
        members[best].add(group)
        balances[best].add(labels)
    return [np.array([group in fold for group in groups]) for fold in members], always_trained


class _FoldBalance:
    """The contents of a fold as shares of each label's photos: rare labels weigh as much as frequent ones."""

    def __init__(self, photos: Sequence[LabelledPhoto]) -> None:
        self._totals = Counter(photo.label for photo in photos)
        self._held: Counter[int] = Counter()

    def add(self, labels: Counter[int]) -> None:
        self._held.update(labels)

    def cost_of(self, labels: Counter[int]) -> float:
        """Return by how much these photos would raise the sum of the squared shares."""
        return sum(((self._held[i] + labels[i]) / total) ** 2 for i, total in self._totals.items()) - sum(
            (self._held[i] / total) ** 2 for i, total in self._totals.items()
        )
