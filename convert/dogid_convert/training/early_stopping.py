"""How a training went, epoch by epoch, and when to stop it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dogid.learning.temperature_scaling import nll, softmax
from dogid_convert.training.head import Floats

DEFAULT_PATIENCE = 3
"""Epochs; where convolutions are fine-tuned and the user names neither epochs nor patience."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """How a network does on some photos."""

    loss: float
    """Mean negative log-likelihood of the true labels, in nats."""
    accuracy: float
    """Top-1, 0..1."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The metrics of a network while it is trained."""

    number: int
    """Passes over the training photos so far; 0 is before the first."""
    training: Metrics
    validation: Metrics | None
    """None where all photos are trained on."""


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """The course of a training."""

    epochs: tuple[Epoch, ...]
    kept: int
    """The epoch whose weights were kept."""
    patience: int
    """0 where the training was not to be stopped early."""
    stopped: bool
    """Whether it ended before its planned end."""


@dataclass(slots=True)
class EarlyStopping:
    """Keeps the best epoch so far, and decides when to stop."""

    patience: int
    """Epochs without a lower validation loss after which a training ends; 0 never ends it."""
    warm_up: int = 0
    """Epochs at the start that use up no patience."""
    epochs: list[Epoch] = field(default_factory=list)
    best_index: int = 0
    """Index into epochs: the one with the least validation loss."""

    def record(self, epoch: Epoch) -> bool:
        """Record an epoch, and return whether it is the best one so far."""
        self.epochs.append(epoch)
        if len(self.epochs) == 1 or self._loss(epoch) < self._loss(self.epochs[self.best_index]):
            self.best_index = len(self.epochs) - 1
            return True
        return False

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        return bool(self.patience) and len(self.epochs) - 1 - max(self.best_index, self.warm_up) >= self.patience

    def history(self) -> TrainingHistory:
        """Return the epochs recorded so far."""
        kept = self.epochs[self.best_index if self.patience else -1].number
        return TrainingHistory(tuple(self.epochs), kept, self.patience, self.should_stop)

    @staticmethod
    def _loss(epoch: Epoch) -> float:
        return epoch.validation.loss if epoch.validation else np.inf


def compute_metrics(logits: Floats, labels: NDArray[np.integer]) -> Metrics | None:
    """Return loss and accuracy of logits [photos, labels] for labels [photos]; None without photos."""
    if not len(labels):
        return None
    return Metrics(nll(logits, labels), float((softmax(logits).argmax(axis=1) == labels).mean()))
