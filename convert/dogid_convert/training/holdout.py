"""Evaluation on photos that the evaluated network was not trained on."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import Dataset
from dogid.evaluation.metrics import Evaluation, evaluate, expected_calibration_error
from dogid.file_names import shown_name
from dogid.learning.temperature_scaling import softmax
from dogid_convert.training.head import Floats


@dataclass(frozen=True, slots=True)
class Misclassification:
    """A photo with a wrong prediction. Its fields are those of `mistakes` in report.json."""

    file: str
    """Inside the folder of photos."""
    label: str
    predicted: str
    probability: float
    """Of the predicted label, 0..1."""


@dataclass(frozen=True, slots=True)
class HeldOutEvaluation:
    """Metrics of a recipe on photos that the evaluated network was not trained on."""

    split: str
    """How those photos were chosen."""
    metrics: Evaluation
    calibration_error_before: float
    """The expected calibration error without the temperature."""


@dataclass(frozen=True, slots=True)
class HeldOutPredictions:
    """Predictions of networks that were not trained on the photos they predict."""

    split: str
    logits: Floats
    """[held-out photos, labels], without temperature and prior."""
    temperatures: NDArray[np.float64]
    """[held-out photos], fitted to other photos."""
    held_out: NDArray[np.bool_]
    """[photos], a mask of the held-out ones."""

    def evaluate(
        self, labels: NDArray[np.int64], prior: Floats, groups: NDArray[np.intp] | None = None
    ) -> HeldOutEvaluation | None:
        """Return the metrics, given labels [photos] and prior [labels]; None without predictions.

        With groups [photos], the number of each photo's source, the intervals are by source.
        """
        if not self.held_out.any():
            return None
        expected = labels[self.held_out]
        before = expected_calibration_error(softmax(self.logits + np.log(prior)), expected)
        held_out_groups = None if groups is None else groups[self.held_out]
        return HeldOutEvaluation(self.split, evaluate(self.probabilities(prior), expected, held_out_groups), before)

    def probabilities(self, prior: Floats) -> NDArray[np.float64]:
        """Return calibrated probabilities [held-out photos, labels] where label i is prior[i] times likelier."""
        return softmax(self.logits / self.temperatures[:, None] + np.log(prior))

    def find_misclassified(
        self, dataset: Dataset, labels: NDArray[np.int64], prior: Floats
    ) -> tuple[Misclassification, ...]:
        """Return the wrong predictions, in the order of the photos."""
        if not self.held_out.any():
            return ()
        scores = self.probabilities(prior)
        predicted, places = scores.argmax(axis=1), np.flatnonzero(self.held_out)
        return tuple(
            Misclassification(
                file=shown_name(os.fsencode(dataset.photos[places[i]].path.relative_to(dataset.root))),
                label=dataset.labels[labels[places[i]]],
                predicted=dataset.labels[predicted[i]],
                probability=round(float(scores[i, predicted[i]]), 4),
            )
            for i in np.flatnonzero(predicted != labels[places])
        )
