"""Making last layers: of zeros, with a temperature, for labels that are likelier in use."""

import numpy as np
from numpy.typing import NDArray

from dogid.model.head import Head

Floats = NDArray[np.float32]


def make_zero_head(width: int, labels: int) -> Head:
    """Return a head of zeros for embeddings of that width."""
    return Head(np.zeros((labels, width), np.float32), np.zeros(labels, np.float32))


def apply_temperature(head: Head, temperature: float) -> Head:
    """Return the head whose logits are divided by temperature: the same predictions, calibrated probabilities."""
    return Head((head.weights / temperature).astype(np.float32), (head.bias / temperature).astype(np.float32))


def apply_prior(head: Head, prior: Floats) -> Head:
    """Return the head for use where label i is prior[i] times likelier than among the training photos (Bayes)."""
    return Head(head.weights, (head.bias + np.log(prior)).astype(np.float32))
