"""Whether the layers that the gate judges by stand for the models that run: those must answer alike.

What a model would answer without having learned from a photo is known from layers that were fitted without it. They say
nothing about a model that answers otherwise: one that was damaged, whose labels were exchanged, or that was made in
another way than `learn` supposes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.learning.comparison import Comparison
from dogid.learning.label_changes import find_worse_labels
from dogid.learning.photos import Indices

_FEWEST = 30  # recent photos; of fewer, two answers more or less decide
_TOLERANCE = 0.1
"""By how much fewer answers a model may share with the layers than they share among themselves. Lower: models that were
fitted with other weights, as the shipped one, are refused; higher: a tenth of the answers may be anything."""


def compare_rightness(
    name: str, by_layers: NDArray[np.bool_], by_model: NDArray[np.bool_], labels: NDArray[np.integer],
    names: Sequence[str],
) -> list[str]:  # fmt: skip
    """Return the labels that a model answers worse than layers which, other than it, were not fitted to the photo.

    by_layers and by_model [photos] are whether they are right, labels [photos] the true ones, names those of labels.
    """
    photos = Comparison(by_layers, by_model, np.arange(len(labels), dtype=np.intp), labels.astype(np.intp))
    return [
        f"{name} answers {names[at]} worse than the layers it is judged by: {_share(by_model, labels == at)} instead "
        f"of {_share(by_layers, labels == at)} of {int((labels == at).sum())} photos are right, so nothing can be said"
        for at in find_worse_labels(photos)
    ]


def compare_answers(name: str, by_layers: Sequence[Indices], by_model: Indices) -> list[str]:
    """Return whether a model answers recent photos otherwise than the layers, each without a fold; all [photos]."""
    if len(by_model) < _FEWEST or not by_layers:
        return []
    pairs = [(one == other).mean() for at, one in enumerate(by_layers) for other in by_layers[:at]]
    shared, among = float(np.mean([(one == by_model).mean() for one in by_layers])), float(np.mean(pairs))
    if shared >= among - _TOLERANCE:
        return []
    return [
        f"{name} gives {shared:.0%} of {len(by_model)} recent photos the answer of the layers it is judged by, which "
        f"agree among themselves on {among:.0%}, so nothing can be said"
    ]


def _share(right: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> str:
    return f"{right[chosen].mean():.0%}"
