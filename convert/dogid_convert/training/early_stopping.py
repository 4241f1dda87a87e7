"""How a training went, epoch by epoch, and when to stop it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dogid_convert.training.backbone import Floats
from dogid_convert.training.temperature_scaling import softmax, surprise

DEFAULT_PATIENCE = 3
"""Epochs; where convolutions are fine-tuned and the user names neither epochs nor patience."""


@dataclass(frozen=True, slots=True)
class Score:
    """How a network does on some photos."""

    loss: float
    """Mean negative log-likelihood of the true labels, in nats."""
    accuracy: float
    """Top-1, 0..1."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A look at the network while it is trained."""

    number: int
    """Passes over the training photos so far; 0 is before the first."""
    training: Score
    validation: Score | None
    """None where all photos are trained on."""


@dataclass(frozen=True, slots=True)
class Learning:
    """A whole training."""

    epochs: tuple[Epoch, ...]
    kept: int
    """The epoch whose weights were taken."""
    patience: int
    """0 where the training was not to be stopped early."""
    stopped: bool
    """Whether it ended before its planned end."""
    steps: bool
    """Whether an epoch is a step of L-BFGS, which looks at all photos, too."""


@dataclass(slots=True)
class Watch:
    """Follows a training: which epoch was the best so far, and is it worth going on?"""

    patience: int
    """Looks without a lower validation loss after which a training ends; 0 never ends it."""
    warm_up: int = 0
    """Looks in which nothing can be expected yet: they use up no patience."""
    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    """Index into epochs: the one with the least validation loss."""

    def saw(self, epoch: Epoch) -> bool:
        """Take note of an epoch, and return whether it is the best one so far."""
        self.epochs.append(epoch)
        if len(self.epochs) == 1 or self._loss(epoch) < self._loss(self.epochs[self.best]):
            self.best = len(self.epochs) - 1
            return True
        return False

    @property
    def is_over(self) -> bool:
        """Whether patience has run out."""
        return bool(self.patience) and len(self.epochs) - 1 - max(self.best, self.warm_up) >= self.patience

    def learning(self, *, steps: bool) -> Learning:
        """Return what was seen."""
        kept = self.epochs[self.best if self.patience else -1].number
        return Learning(tuple(self.epochs), kept, self.patience, self.is_over, steps)

    @staticmethod
    def _loss(epoch: Epoch) -> float:
        return epoch.validation.loss if epoch.validation else np.inf


def score(logits: Floats, truth: NDArray[np.integer]) -> Score | None:
    """Return how good logits [photos, labels] are; None without photos."""
    if not len(truth):
        return None
    return Score(surprise(logits, truth), float((softmax(logits).argmax(axis=1) == truth).mean()))
