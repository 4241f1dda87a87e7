"""What is known about a model that was judged on labelled photos, also as JSON."""

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import Dataset, Unreadable
from dogid.evaluation.metrics import ConfidenceBin, Evaluation, count_confusions
from dogid.file_names import shown_name
from dogid.model.classifier import Model


@dataclass(frozen=True, slots=True)
class Mistake:
    """A photo with a wrong answer."""

    path: Path
    file: str
    """Inside the folder of photos."""
    label: str
    predicted: str
    probability: float
    """Of the predicted label, 0..1."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Medians for one photo by one thread, in milliseconds."""

    decode: float
    invoke: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """A model on labelled photos."""

    model: Model
    dataset: Dataset
    evaluation: Evaluation
    """Over all labels of the model."""
    groups: int | None
    """How many sources the photos are of; None where they were not asked for, and the intervals are by photo."""
    bins: tuple[ConfidenceBin, ...]
    truth: NDArray[np.int64]
    """[judged photos], indices of the model's labels."""
    predicted: NDArray[np.int64]
    """[judged photos], likewise."""
    mistakes: tuple[Mistake, ...]
    """The surest first."""
    unknown_labels: dict[str, int]
    """Photos in folders whose name is no label of the model: they were not judged."""
    unreadable: tuple[Unreadable, ...]
    trained_on: int | None
    """How many of the judged photos are among those that the model was made with; None where its file has none."""
    latency: Latency

    @property
    def occurring(self) -> list[int]:
        """The model's labels that photos have or got, as indices: a thousand others would only fill the report."""
        return [int(i) for i in np.unique(np.concatenate([self.truth, self.predicted]))]

    @property
    def absent_labels(self) -> list[str]:
        """The model's labels that no judged photo has."""
        known = set(self.truth.tolist())
        return [label for i, label in enumerate(self.model.labels) if i not in known]

    def confusion(self) -> tuple[list[str], list[list[int]]]:
        """Return the names of the occurring labels, and how often each was answered for each: [true][answered]."""
        names = self.occurring
        place = {label: at for at, label in enumerate(names)}
        at = np.vectorize(place.__getitem__, otypes=[np.int64])
        counts = count_confusions(at(self.truth), at(self.predicted), len(names))
        return [self.model.labels[i] for i in names], counts.tolist()

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON has it; the keys are stable."""
        found, labels = self.evaluation, self.model.labels
        names, counts = self.confusion()
        file = shown_name(os.fsencode(self.model.file.path))
        return {
            "model": {
                "file": file,
                "sha256": self.model.file.sha256,
                "labels": list(labels),
            },
            "photos": {
                "folder": shown_name(os.fsencode(self.dataset.root)),
                "judged": found.photos,
                "groups": self.groups,
                "per_label": {labels[i]: int((self.truth == i).sum()) for i in np.unique(self.truth)},
                "only_test": self.dataset.is_divided,
                "trained_on": self.trained_on,
                "unreadable": [{"file": self._name(path), "reason": reason} for path, reason in self.unreadable],
                "unknown_labels": self.unknown_labels,
                "conflicting_labels": [
                    [self._name(file.path) for file in conflict.files] for conflict in self.dataset.conflicts
                ],
            },
            "labels_without_photos": self.absent_labels,
            "accuracy": found.accuracy,
            "accuracy_95": [found.accuracy_interval.low, found.accuracy_interval.high],
            "macro_recall": found.macro_recall,
            "macro_recall_95": [found.macro_recall_interval.low, found.macro_recall_interval.high],
            "recall": {labels[i]: _finite(found.recalls[i]) for i in self.occurring},
            "recall_95": {
                labels[i]: [interval.low, interval.high]
                for i in self.occurring
                if (interval := found.recall_intervals[i]) is not None
            },
            "precision": {labels[i]: _finite(found.precisions[i]) for i in self.occurring},
            "expected_calibration_error": found.calibration_error,
            "calibration": [{key: _finite(value) for key, value in asdict(one).items()} for one in self.bins],
            "confusion": {"labels": names, "counts": counts},
            "latency_ms": asdict(self.latency),
            "mistakes": [
                {key: value for key, value in asdict(mistake).items() if key != "path"} for mistake in self.mistakes
            ],
        }

    def _name(self, path: Path) -> str:
        return shown_name(os.fsencode(path.relative_to(self.dataset.root)))


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
