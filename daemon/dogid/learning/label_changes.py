"""What a new model changes for single labels, and which of them it recognises too much less."""

from dataclasses import dataclass

import numpy as np

from dogid.evaluation.intervals import Interval, share_interval
from dogid.learning.comparison import Comparison
from dogid.learning.gate_statistics import sign_tail

_LABEL_LOSS, _LABEL_P = 0.05, 0.01
"""A label's recall that falls by more, and less likely by chance than this, is a reason to refuse by itself."""
_FEWEST_LOST = 2
"""Photos that a label has lost before half of them is too much; with one, chance alone would refuse rare labels."""


@dataclass(frozen=True, slots=True)
class LabelChange:
    """One label's recall on unseen photos."""

    label: str
    photos: int
    before: float
    after: float
    interval_before: Interval
    interval_after: Interval


def find_worse_labels(photos: Comparison) -> list[int]:
    """Return the places of labels that lose more than chance explains, or half of their photos."""
    found = []
    for at in np.unique(photos.labels).tolist():
        gained, lost, of_label = _count_label(photos, at)
        net = lost - gained
        if (net > _LABEL_LOSS * of_label and sign_tail(gained, lost) < _LABEL_P) or (
            net >= _FEWEST_LOST and 2 * net >= of_label
        ):
            found.append(at)
    return found


def _count_label(photos: Comparison, at: int) -> tuple[int, int, int]:
    of_label = photos.labels == at
    before, after = photos.before[of_label], photos.after[of_label]
    return int((after & ~before).sum()), int((before & ~after).sum()), len(before)


def explain_label(photos: Comparison, at: int, name: str, kind: str) -> str:
    """Return the reason why a label, by its place, keeps a model from passing. kind: of photos, for people."""
    gained, lost, of_label = _count_label(photos, at)
    return f"{name} is recognised less: {lost} of {of_label} {kind} photos lost, {gained} gained"


def compare_label(photos: Comparison, at: int, name: str) -> LabelChange:
    """Return a label's recall before and after, by its place."""
    of_label = photos.labels == at
    count, before, after = int(of_label.sum()), int(photos.before[of_label].sum()), int(photos.after[of_label].sum())
    intervals = (Interval(*share_interval(hits, count)) for hits in (before, after))
    return LabelChange(name, count, before / count, after / count, *intervals)
