"""Training of a softmax layer on embeddings, the whole of it at once."""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from dogid_convert.support import interruption
from dogid_convert.training.backbone import Floats, Head

_L2 = 2e-3
"""Weight of the mean squared weight, for embeddings of standard deviation 1."""
MOST_STEPS = 500
_LOOKS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, MOST_STEPS)
"""The steps after which a head is looked at on the way."""
_UNSEEN = -10.0
"""The logit of a label without photos, as a fold can leave one: not impossible, but never the answer."""


def fit(
    embeddings: Floats, truth: NDArray[np.integer], importance: Floats, labels: int, steps: int = MOST_STEPS
) -> Head:
    """Return the head with the least weighted loss on embeddings [samples, width] of labels truth [samples].

    Multinomial logistic regression by L-BFGS: no batches, no chance, no seed. A first-order method that is stopped
    early leaves noise in the directions that the training photos do not show, and photos of other things fall for it.
    """
    return _fitted(embeddings, truth, importance, labels, steps)[0]


def on_the_way(
    embeddings: Floats, truth: NDArray[np.integer], importance: Floats, labels: int
) -> Iterator[tuple[int, Head]]:
    """Give the head after 1, 2, 3, 5, 8... steps of `fit`, with their number; the last one is what `fit` returns."""
    # L-BFGS is the same every time, so that a training of n steps is how a longer one begins
    for steps in _LOOKS:
        interruption.check()
        head, taken = _fitted(embeddings, truth, importance, labels, steps)
        yield taken, head
        if taken < steps:
            return


def _fitted(
    embeddings: Floats, truth: NDArray[np.integer], importance: Floats, labels: int, steps: int
) -> tuple[Head, int]:
    """Return the head after at most that many steps, and how many were taken."""
    middle = embeddings.mean(axis=0)
    scale = float((embeddings - middle).std()) or 1.0  # so that the decay means the same for every base
    inputs = ((embeddings - middle) / scale).astype(np.float64)
    found = np.unique(truth)
    rows, biases, taken = np.zeros((labels, inputs.shape[1])), np.full(labels, _UNSEEN), 0
    if len(found) == 1:
        biases[found] = 0.0
    else:
        regression = LogisticRegression(C=1 / (_L2 * len(inputs)), max_iter=steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # being stopped is what was asked for
            regression.fit(inputs, truth, sample_weight=importance)
        rows[found], biases[found] = _for_each_label(regression)
        taken = int(regression.n_iter_.max())
    weights = rows.T / scale
    return Head(weights.astype(np.float32), (biases - middle @ weights).astype(np.float32)), taken


def _for_each_label(regression: LogisticRegression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [labels, width] and biases [labels]; for two labels scikit-learn keeps only their difference."""
    weights, biases = regression.coef_, regression.intercept_
    if len(weights) == 1:
        weights, biases = np.vstack([-weights, weights]) / 2, np.hstack([-biases, biases]) / 2
    return weights, biases
