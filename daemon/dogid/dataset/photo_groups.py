"""Groups of photos by file name: those of one source, camera or place resemble each other."""

import argparse
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import LabelledPhoto


def parse_pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression of `--group-by`. Raise argparse.ArgumentTypeError where it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from error


def extract_group(name: str, pattern: re.Pattern[str]) -> str:
    """Return the group (source, camera) in a file name: the pattern's first group or its whole match.

    A name that does not match is a group of its own kind, "".
    """
    match = pattern.match(name)
    if match is None:
        return ""
    return match.group(1) if pattern.groups else match.group(0)


def number_groups(
    photos: Sequence[LabelledPhoto], pattern: re.Pattern[str]
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the number of each photo's group, and the names of the groups by their numbers."""
    names, numbers = np.unique([extract_group(photo.path.name, pattern) for photo in photos], return_inverse=True)
    return numbers.astype(np.intp), tuple(map(str, names))
