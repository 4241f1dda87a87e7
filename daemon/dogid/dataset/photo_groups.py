"""Groups of photos by file name: those of one source, camera or place resemble each other."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.group_pattern import extract_group
from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.errors import UsageError


def number_groups(
    photos: Sequence[LabelledPhoto], pattern: re.Pattern[str]
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the number of each photo's group, and the names of the groups by their numbers."""
    names, numbers = np.unique([extract_group(photo.path.name, pattern) for photo in photos], return_inverse=True)
    return numbers.astype(np.intp), tuple(map(str, names))


def check_groups(photos: Sequence[LabelledPhoto], pattern: re.Pattern[str], folder: Path) -> None:
    """Raise UsageError where the photos of a folder are of fewer than two groups: one says nothing about others."""
    if len(number_groups(photos, pattern)[1]) < 2:
        raise UsageError(
            f"--group-by {pattern.pattern!r} finds the same source in the names of all photos of {folder}: "
            "intervals by source need two or more"
        )
