"""Judging by groups: a network that is asked about a source, a camera or a place that it has never seen."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.errors import UsageError
from dogid_convert.data.dataset import LabelledPhoto
from dogid_convert.training.splits import group_of

FOLDS = 5
LARGEST_PART = 1 / 3
"""A group with more of the photos than this is always trained on: too little would be left to learn from."""


def folds_of(
    photos: Sequence[LabelledPhoto], pattern: re.Pattern[str]
) -> tuple[list[NDArray[np.bool_]], tuple[str, ...]]:
    """Return folds of whole groups, each as a mask [photos], and the groups that are too large to be left out.

    A group is what pattern finds at the beginning of a file's name. Raise UsageError with fewer than two groups.
    """
    groups = [group_of(photo.path.name, pattern) for photo in photos]
    sizes = Counter(groups)
    always = tuple(sorted(group for group, size in sizes.items() if size > LARGEST_PART * len(photos)))
    left = [group for group in sizes if group not in always]
    if len(left) < 2:
        raise UsageError(f"--group-by {pattern.pattern!r} finds {len(left)} group(s) to leave out: two are needed")
    members: list[set[str]] = [set() for _ in range(min(FOLDS, len(left)))]
    loads = [_Load(photos) for _ in members]
    for group in sorted(left, key=lambda name: (-sizes[name], name)):
        labels = Counter(photo.label for photo, of in zip(photos, groups, strict=True) if of == group)
        best = min(range(len(members)), key=lambda i: (loads[i].with_more(labels), i))
        members[best].add(group)
        loads[best].add(labels)
    return [np.array([group in fold for group in groups]) for fold in members], always


class _Load:
    """What a fold holds, as parts of each label's photos: rare labels weigh as much as frequent ones."""

    def __init__(self, photos: Sequence[LabelledPhoto]) -> None:
        self._totals = Counter(photo.label for photo in photos)
        self._held: Counter[int] = Counter()

    def add(self, labels: Counter[int]) -> None:
        self._held.update(labels)

    def with_more(self, labels: Counter[int]) -> float:
        """Return the sum of the squared parts, had the fold these photos too."""
        return sum(((self._held[i] + labels[i]) / total) ** 2 for i, total in self._totals.items()) - sum(
            (self._held[i] / total) ** 2 for i, total in self._totals.items()
        )
