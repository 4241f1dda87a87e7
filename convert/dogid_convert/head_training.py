"""Fitting a softmax layer on embeddings: a convex problem, so that the answer is one and the same."""

import numpy as np
from numpy.typing import NDArray

from dogid_convert.backbone import Floats, Head
from dogid_convert.calibration import softmax

_L2 = 3e-3
"""Weight of the squared weights beside the mean loss, for embeddings of unit variance."""
_STEPS = 400
_RATE = 0.02


def fit(embeddings: Floats, truth: NDArray[np.integer], importance: Floats, labels: int) -> Head:
    """Return the head with the least weighted loss on embeddings [samples, width] of labels truth [samples].

    Full-batch Adam (Kingma and Ba 2015) with a cosine of the rate: no batches, no chance, no seed.
    """
    middle = embeddings.mean(axis=0)
    scale = float((embeddings - middle).std()) or 1.0  # so that the decay means the same for every base
    inputs = ((embeddings - middle) / scale).astype(np.float32)
    targets = np.eye(labels, dtype=np.float32)[truth]
    share = (importance / importance.sum()).astype(np.float32)[:, None]
    weights, biases = _minimum(inputs, targets, share)
    weights = weights / scale
    return Head(weights.astype(np.float32), (biases - middle @ weights).astype(np.float32))


def _minimum(inputs: Floats, targets: Floats, share: Floats) -> tuple[Floats, Floats]:
    parameters = np.zeros((inputs.shape[1] + 1, targets.shape[1]), np.float32)
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    for step in range(1, _STEPS + 1):
        error = (softmax(inputs @ parameters[:-1] + parameters[-1]).astype(np.float32) - targets) * share
        slope = np.vstack([inputs.T @ error + _L2 * parameters[:-1], error.sum(axis=0)])
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope**2
        ahead = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        parameters -= _RATE * 0.5 * (1 + np.cos(np.pi * step / _STEPS)) * ahead
    return parameters[:-1], parameters[-1]
