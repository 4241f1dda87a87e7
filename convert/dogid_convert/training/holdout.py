"""How a recipe does on photos that the judged network was not trained on."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.file_names import shown_name
from dogid_convert.data.dataset import Dataset
from dogid_convert.evaluation.metrics import Evaluation, evaluate, expected_calibration_error
from dogid_convert.training.backbone import Floats
from dogid_convert.training.temperature_scaling import best_temperature, softmax

FEWEST_FOR_TEMPERATURE = 100
"""Photos; with fewer, a temperature would be chance."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer."""

    file: str
    """Inside the folder of photos."""
    label: str
    predicted: str
    probability: float
    """Of the predicted label, 0..1."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the recipe does on photos that the judged network was not trained on."""

    split: str
    """How those photos were chosen."""
    evaluation: Evaluation
    calibration_error_before: float
    """The expected calibration error without the temperature."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The answers of networks that were not trained on the photos they answer for."""

    split: str
    logits: Floats
    """[judged photos, labels]."""
    which: NDArray[np.bool_]
    """[photos], the judged ones."""

    def temperature(self, truth: NDArray[np.int64]) -> float:
        """Return the temperature that suits the answers best, given all photos' labels."""
        if self.which.sum() < FEWEST_FOR_TEMPERATURE:
            return 1.0
        return best_temperature(self.logits, truth[self.which])

    def judgement(self, truth: NDArray[np.int64], temperature: float) -> Judgement | None:
        """Return how good the answers are at that temperature; None where there are none."""
        if not self.which.any():
            return None
        shown = truth[self.which]
        before = expected_calibration_error(softmax(self.logits), shown)
        return Judgement(self.split, evaluate(softmax(self.logits / temperature), shown), before)

    def mistakes(self, dataset: Dataset, truth: NDArray[np.int64], temperature: float) -> tuple[Mistake, ...]:
        """Return the wrong answers at that temperature, in the order of the photos."""
        if not self.which.any():
            return ()
        scores = softmax(self.logits / temperature)
        found, shown = scores.argmax(axis=1), np.flatnonzero(self.which)
        return tuple(
            Mistake(
                file=shown_name(os.fsencode(dataset.photos[shown[i]].path.relative_to(dataset.root))),
                label=dataset.labels[truth[shown[i]]],
                predicted=dataset.labels[found[i]],
                probability=round(float(scores[i, found[i]]), 4),
            )
            for i in np.flatnonzero(found != truth[shown])
        )
