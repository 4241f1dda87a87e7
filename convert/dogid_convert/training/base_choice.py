"""Figures of a base that was chosen among several, by photos that had no part in the choice.

The base whose head does best by cross-validation is what is written. Judged by the same folds it looks a little better
than it is: it was chosen by its luck on them, too. So each fold is predicted by the base that does best on the others.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dogid.learning.temperature_scaling import smoothed_nll
from dogid_convert.training.holdout import HeldOutPredictions


def predict_by_best_of_others(
    chosen: HeldOutPredictions,
    others: Sequence[HeldOutPredictions],
    labels: NDArray[np.integer],
    folds: NDArray[np.intp],
) -> HeldOutPredictions:
    """Return the predictions of chosen, with those of another base in folds where that one does best on the rest.

    All are of cross-validation on the same photos; labels and folds are [photos], the folds those of chosen. Photos
    that another base does not predict keep the chosen one's.
    """
    candidates = [chosen, *(one for one in others if len(one.held_out) == len(chosen.held_out))]
    logits, temperatures = chosen.logits.copy(), chosen.temperatures.copy()
    switched = 0
    for fold in np.unique(folds[chosen.held_out]):
        inside = folds == fold
        losses = [_measure_loss(one, labels, ~inside) for one in candidates]
        best = candidates[int(np.argmin(losses))]
        if best is chosen:
            continue
        taken = inside & chosen.held_out & best.held_out
        logits[taken[chosen.held_out]] = best.logits[taken[best.held_out]]
        temperatures[taken[chosen.held_out]] = best.temperatures[taken[best.held_out]]
        switched += 1
    split = f"{chosen.split}; the base chosen for each fold by the others"
    if switched:
        split += f", for {switched} of them another one than is written"
    return replace(chosen, split=split, logits=logits, temperatures=temperatures)


def _measure_loss(predictions: HeldOutPredictions, labels: NDArray[np.integer], among: NDArray[np.bool_]) -> float:
    """Return the mean loss of a mask of photos in nats, of those that are predicted; infinite where none is."""
    kept = among[predictions.held_out]
    if not kept.any():
        return np.inf
    calibrated = predictions.logits / predictions.temperatures[:, None]
    return smoothed_nll(calibrated[kept], labels[predictions.held_out][kept])
