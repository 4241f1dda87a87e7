"""The last layer of a classifier: from an embedding to a logit for each label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """A linear layer whose softmax gives probabilities."""

    weights: Floats
    """[embedding's width, labels]."""
    biases: Floats
    """[labels]."""

    @classmethod
    def zeros(cls, width: int, labels: int) -> "Head":
        """Return a head of zeros for embeddings of that width."""
        return cls(np.zeros((width, labels), np.float32), np.zeros(labels, np.float32))

    def logits(self, embeddings: Floats) -> Floats:
        """Return logits [photos, labels] for embeddings [photos, width]."""
        return embeddings @ self.weights + self.biases

    def with_temperature(self, temperature: float) -> "Head":
        """Return the head whose logits are divided by temperature: the same predictions, calibrated probabilities."""
        return Head((self.weights / temperature).astype(np.float32), (self.biases / temperature).astype(np.float32))

    def with_prior(self, prior: Floats) -> "Head":
        """Return the head for use where label i is prior[i] times likelier than among the training photos (Bayes)."""
        return Head(self.weights, (self.biases + np.log(prior)).astype(np.float32))
