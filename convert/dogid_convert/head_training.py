"""Training of a softmax layer on embeddings, the whole of it at once."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from dogid_convert.backbone import Floats, Head

_L2 = 2e-3
"""Weight of the mean squared weight, for embeddings of standard deviation 1."""
_MOST_STEPS = 500
_UNSEEN = -10.0
"""The logit of a label without photos, as a fold can leave one: not impossible, but never the answer."""


def fit(embeddings: Floats, truth: NDArray[np.integer], importance: Floats, labels: int) -> Head:
    """Return the head with the least weighted loss on embeddings [samples, width] of labels truth [samples].

    Multinomial logistic regression by L-BFGS: no batches, no chance, no seed. A first-order method that is stopped
    early leaves noise in the directions that the training photos do not show, and photos of other things fall for it.
    """
    middle = embeddings.mean(axis=0)
    scale = float((embeddings - middle).std()) or 1.0  # so that the decay means the same for every base
    inputs = ((embeddings - middle) / scale).astype(np.float64)
    found = np.unique(truth)
    rows, biases = np.zeros((labels, inputs.shape[1])), np.full(labels, _UNSEEN)
    if len(found) == 1:
        biases[found] = 0.0
    else:
        regression = LogisticRegression(C=1 / (_L2 * len(inputs)), max_iter=_MOST_STEPS)
        regression.fit(inputs, truth, sample_weight=importance)
        rows[found], biases[found] = _for_each_label(regression)
    weights = rows.T / scale
    return Head(weights.astype(np.float32), (biases - middle @ weights).astype(np.float32))


def _for_each_label(regression: LogisticRegression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [labels, width] and biases [labels]; for two labels scikit-learn keeps only their difference."""
    weights, biases = regression.coef_, regression.intercept_
    if len(weights) == 1:
        weights, biases = np.vstack([-weights, weights]) / 2, np.hstack([-biases, biases]) / 2
    return weights, biases
