"""Which photos a training may use, and for what; what of them is too little is told."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line, shown_name
from dogid_convert.data.dataset import Dataset, LabelledPhoto
from dogid_convert.support.suggestions import listed

MOST_UNREADABLE = 0.25
"""The share of unreadable photos above which a folder is not trained from: something else is wrong with it."""
_FEW = 10
"""Photos; a label with fewer is worth a warning."""
_NAMED = 20  # unreadable photos; the report has all

Say = Callable[[str], None]


def check_labels(named: Iterable[str], dataset: Dataset) -> None:
    """Raise UsageError where the user names a label that there is none of."""
    for label in named:
        if label not in dataset.labels:
            raise UsageError(f"no label {label!r} in {dataset.root}: there are {', '.join(dataset.labels)}")


def check_readable(
    unreadable: tuple[tuple[Path, str], ...], good: tuple[LabelledPhoto, ...], dataset: Dataset, say: Say
) -> None:
    """Name the unreadable photos; raise DogidError where they are too many, or a label has no other ones."""
    for path, reason in unreadable[:_NAMED]:
        say(f"skipped {one_line(shown_name(os.fsencode(path)))}: {reason}")
    if len(unreadable) > _NAMED:
        say(f"skipped {len(unreadable) - _NAMED} more")
    total = len(good) + len(unreadable)
    if len(unreadable) > MOST_UNREADABLE * total:
        raise DogidError(
            f"{len(unreadable)} of {total} photos in {dataset.root} cannot be read, more than "
            f"{MOST_UNREADABLE:.0%}: mend or delete the ones named above"
        )
    empty = [
        str(dataset.root / label)
        for i, label in enumerate(dataset.labels)
        if not any(photo.label == i for photo in good)
    ]
    if empty:
        raise DogidError(f"no readable photo in {listed(empty)}")


def held_out(truth: NDArray[np.int64], dataset: Dataset, say: Say) -> NDArray[np.bool_]:
    """Return which photos are for judging only. A label that would be left without photos to train on keeps them."""
    held = np.array([is_held_out(photo.sha256) for photo in dataset.photos])
    for i, label in enumerate(dataset.labels):
        if held[truth == i].all():
            held[truth == i] = False
            say(f"too few photos of {label} to hold one out")
    for label, count in dataset.counts().items():
        if count < _FEW:
            say(f"{label} has {count} photo{'s' * (count > 1)} only: take a few dozen or more of each label")
    if not held.any():
        say("too few photos to hold some out: nothing is judged")
    return held


def stop_by(
    truth: NDArray[np.int64], dataset: Dataset, held: NDArray[np.bool_], patience: int, say: Say
) -> NDArray[np.bool_]:
    """Return which photos tell when to stop; none without patience or where too few would be left to train on."""
    chosen = np.array([is_for_validation(photo.sha256) for photo in dataset.photos]) & ~held
    if not patience:
        return np.zeros_like(chosen)
    if not chosen.any() or any((held | chosen)[truth == i].all() for i in range(len(dataset.labels))):
        say("too few photos to tell when to stop: trained to the planned end")
        return np.zeros_like(chosen)
    return chosen


HELD_OUT_PERCENT = 10
"""The share of photos that a model is judged on and not trained on, as in TensorFlow's retrain example."""
VALIDATION_PERCENT = 10
"""The share that tells when to stop a training, as there. It judges nothing: what was chosen by it looks good on it."""


def is_held_out(sha256: str, percent: int = HELD_OUT_PERCENT) -> bool:
    """Whether a photo is for judging. Told from its content alone: new photos never move the old ones."""
    return _place(sha256) < percent


def is_for_validation(sha256: str) -> bool:
    """Whether a photo tells when to stop, where a training is stopped early. Never one that is held out."""
    return HELD_OUT_PERCENT <= _place(sha256) < HELD_OUT_PERCENT + VALIDATION_PERCENT


def group_of(name: str, pattern: re.Pattern[str]) -> str:
    """Return the group (source, camera) that a file name tells: the pattern's first group or its whole match.

    A name that does not match is a group of its own kind, "".
    """
    match = pattern.match(name)
    if match is None:
        return ""
    return match.group(1) if pattern.groups else match.group(0)


def _place(sha256: str) -> int:
    return int(sha256[:8], 16) % 100
