"""Splits of the photos for training, validation and evaluation; warns where a label has too few."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import Dataset, LabelledPhoto
from dogid.errors import DogidError
from dogid.file_names import join_names, one_line, shown_name
from dogid.quantities import count_of

MAX_UNREADABLE_SHARE = 0.25
"""The share of unreadable photos above which a folder is not trained from: something else is wrong with it."""
_MAX_NAMED = 20  # unreadable photos; the report has all

Log = Callable[[str], None]


def log_left_out(dataset: Dataset, log: Log) -> None:
    """Name the photos under two labels, and count the files without one."""
    if dataset.unlabelled_files:
        files = count_of(dataset.unlabelled_files, "file")
        log(f"{files} in {dataset.root} itself: not used, as only the labels' folders are")
    for conflict in dataset.conflicts[:_MAX_NAMED]:
        names = " and ".join(one_line(shown_name(os.fsencode(file.path))) for file in conflict.files)
        log(f"left out, since the same photo is under two labels: {names}")
    if len(dataset.conflicts) > _MAX_NAMED:
        more = count_of(len(dataset.conflicts) - _MAX_NAMED, "more photo")
        log(f"left out {more} under two labels: the report has all")


def check_readable(
    unreadable: tuple[tuple[Path, str], ...], good: tuple[LabelledPhoto, ...], dataset: Dataset, log: Log
) -> None:
    """Name the unreadable photos; raise DogidError where they are too many, or a label has no other ones."""
    for path, reason in unreadable[:_MAX_NAMED]:
        log(f"skipped {one_line(shown_name(os.fsencode(path)))}: {reason}")
    if len(unreadable) > _MAX_NAMED:
        log(f"skipped {len(unreadable) - _MAX_NAMED} more")
    total = len(good) + len(unreadable)
    if len(unreadable) > MAX_UNREADABLE_SHARE * total:
        raise DogidError(
            f"{len(unreadable)} of {total} photos in {dataset.root} cannot be read, more than "
            f"{MAX_UNREADABLE_SHARE:.0%}: repair or delete the ones named above"
        )
    empty = [label for i, label in enumerate(dataset.labels) if not any(photo.label == i for photo in good)]
    if empty:
        raise DogidError(f"{dataset.root}: no readable photo of {join_names(empty)}")


def select_held_out(labels: NDArray[np.int64], dataset: Dataset, log: Log) -> NDArray[np.bool_]:
    """Return a mask [photos] of those to evaluate on: the data set's own, or a tenth of each label's photos.

    A label keeps the last photo that it can be trained on; any other is judged on one photo at least. Raise DogidError
    where a label has photos to judge with only.
    """
    if dataset.is_divided:
        held = _select_for_judging(labels, dataset)
    else:
        held = np.array([is_held_out(photo.sha256) for photo in dataset.photos])
        for i, label in enumerate(dataset.labels):
            own = np.flatnonzero(labels == i)
            if len(own) == 1:
                held[own] = False
                log(f"too few photos of {label} to hold one out")
            elif held[own].all() or not held[own].any():
                held[own] = False
                held[min(own, key=lambda at: dataset.photos[at].sha256)] = True
    return held


def _select_for_judging(labels: NDArray[np.int64], dataset: Dataset) -> NDArray[np.bool_]:
    held = np.array([photo.for_judging for photo in dataset.photos])
    untrained = [label for i, label in enumerate(dataset.labels) if held[labels == i].all()]
    if untrained:
        raise DogidError(f"no photo to train on of {join_names(untrained)}: {dataset.root} has them to judge with only")
    return held


def select_validation(
    labels: NDArray[np.int64], dataset: Dataset, held: NDArray[np.bool_], patience: int, log: Log
) -> NDArray[np.bool_]:
    """Return a mask [photos] of those for early stopping; none without patience or where too few would be left."""
    chosen = np.array([is_for_validation(photo.sha256) for photo in dataset.photos]) & ~held
    if not patience:
        return np.zeros_like(chosen)
    if not chosen.any() or any((held | chosen)[labels == i].all() for i in range(len(dataset.labels))):
        log("too few photos for early stopping: trained to the planned end")
        return np.zeros_like(chosen)
    return chosen


HELD_OUT_PERCENT = 10
"""The share of photos that a model is evaluated on and not trained on, as in TensorFlow's retrain example."""
VALIDATION_PERCENT = 10
"""The share for early stopping, as there. Not for evaluation: the epoch chosen by it looks too good on it."""


def is_held_out(sha256: str, percent: int = HELD_OUT_PERCENT) -> bool:
    """Whether a photo is for evaluation. Depends on its content alone: new photos never move the old ones."""
    return _percentile(sha256) < percent


def is_for_validation(sha256: str) -> bool:
    """Whether a photo is for validation, where a training is stopped early. Never one that is held out."""
    return HELD_OUT_PERCENT <= _percentile(sha256) < HELD_OUT_PERCENT + VALIDATION_PERCENT


def _percentile(sha256: str) -> int:
    return int(sha256[:8], 16) % 100
