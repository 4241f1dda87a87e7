"""Fitting a softmax layer to embeddings by multinomial logistic regression."""

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
MAX_STEPS = 500
"""Of L-BFGS. It converges in a few dozen on most data; lowering it makes the head worse, raising it only costs time."""
_CHECKPOINTS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, MAX_STEPS)
"""The numbers of steps after which `fit_head_stepwise` yields the head: each costs a fit from the start."""
_UNSEEN_LOGIT = -10.0
"""The logit of a label without photos, as a fold can leave one: not impossible, but never the answer."""


def fit_head(
    embeddings: Floats, labels: NDArray[np.integer], sample_weight: Floats, label_count: int, steps: int = MAX_STEPS
) -> Head:
    """Return the head with the least weighted loss on float32 embeddings [samples, width].

    labels [samples] are indices below label_count, sample_weight [samples] says how much each sample counts.

    Multinomial logistic regression by L-BFGS: no batches, no chance, no seed. A first-order method that is stopped
    early leaves noise in the directions that the training photos do not show, and photos of other things fall for it.
    """
    return _fit_steps(embeddings, labels, sample_weight, label_count, steps)[0]


def fit_head_stepwise(
    embeddings: Floats, labels: NDArray[np.integer], sample_weight: Floats, label_count: int
) -> Iterator[tuple[int, Head]]:
    """Yield the head after 1, 2, 3, 5, 8... steps of `fit_head`, with their number; `fit_head` returns the last one."""
    # L-BFGS is the same every time, so that a training of n steps is how a longer one begins
    for steps in _CHECKPOINTS:
        interruption.check()
        head, taken = _fit_steps(embeddings, labels, sample_weight, label_count, steps)
        yield taken, head
        if taken < steps:
            return


def _fit_steps(
    embeddings: Floats, labels: NDArray[np.integer], sample_weight: Floats, label_count: int, steps: int
) -> tuple[Head, int]:
    """Return the head after at most that many steps, and how many were taken."""
    mean = embeddings.mean(axis=0)
    scale = float((embeddings - mean).std()) or 1.0  # so that the decay means the same for every base
    inputs = ((embeddings - mean) / scale).astype(np.float64)
    seen = np.unique(labels)
    weights_by_label, biases, taken = np.zeros((label_count, inputs.shape[1])), np.full(label_count, _UNSEEN_LOGIT), 0
    if len(seen) == 1:
        biases[seen] = 0.0
    else:
        regression = LogisticRegression(C=1 / (_L2 * len(inputs)), max_iter=steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is intended
            regression.fit(inputs, labels, sample_weight=sample_weight)
        weights_by_label[seen], biases[seen] = _expand_coefficients(regression)
        taken = int(regression.n_iter_.max())
    weights = weights_by_label.T / scale
    return Head(weights.astype(np.float32), (biases - mean @ weights).astype(np.float32)), taken


def _expand_coefficients(regression: LogisticRegression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights [labels, width] and biases [labels]; for two labels scikit-learn keeps only their difference."""
    weights, biases = regression.coef_, regression.intercept_
    if len(weights) == 1:
        weights, biases = np.vstack([-weights, weights]) / 2, np.hstack([-biases, biases]) / 2
    return weights, biases
