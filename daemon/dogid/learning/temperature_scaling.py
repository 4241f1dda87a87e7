"""Temperature scaling: calibrated probabilities, the same predictions.

Guo et al. 2017, "On Calibration of Modern Neural Networks": one number that all logits are divided by, chosen so that
the negative log-likelihood of photos that the network was not trained on is lowest.
"""

import numpy as np
from numpy.typing import NDArray

_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.005, 5000.0
"""Wide enough for the logits of any head: LDA's are near 1000 where a little shrinkage separates all photos. Narrower,
and such a head's answers stay exactly 1; wider takes longer."""
_PRECISION = 1e-3  # of the temperature's logarithm; a lower one changes no probability visibly
_NEAR = 1.01  # of a bound: what the search calls it
_GOLDEN = (np.sqrt(5) - 1) / 2


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities [photos, labels]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def nll(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean negative log-likelihood of the true labels, in nats."""
    chosen = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def smoothed_nll(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean negative log-likelihood in nats where one label of the photos + 2 is wrong, spread over all.

    So Platt 1999, "Probabilistic Outputs for Support Vector Machines": else a few photos that are all right would make
    the probabilities 1, and of several classifiers without a mistake the one that claims most would be the best.
    """
    count = logits.shape[1]
    wrong = 1 / (len(labels) + 2)
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    expected = (1 - wrong) * shifted[np.arange(len(labels)), labels] + wrong / count * shifted.sum(axis=1)
    return float((np.log(np.exp(shifted).sum(axis=1)) - expected).mean())


def is_at_bound(temperature: float) -> bool:
    """Whether a temperature is one that a wider search might leave: the probabilities are not calibrated then."""
    return not _MIN_TEMPERATURE * _NEAR < temperature < _MAX_TEMPERATURE / _NEAR


def cross_fit_temperatures(
    logits: NDArray[np.floating], labels: NDArray[np.integer], folds: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return for each photo the temperature fitted to the other folds, so that its calibration may be evaluated.

    logits [photos, labels] are of photos not trained on; with one fold only, the temperature is 1.
    """
    temperatures = np.ones(len(labels))
    for number in np.unique(folds):
        others = folds != number
        if others.any():
            temperatures[~others] = fit_temperature(logits[others], labels[others])
    return temperatures


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature in 0.005..5000 with the lowest `smoothed_nll`; logits [photos, labels] are of photos not
    trained on.
    """

    def loss(log_temperature: float) -> float:
        return smoothed_nll(logits / np.exp(log_temperature), labels)

    low, high = float(np.log(_MIN_TEMPERATURE)), float(np.log(_MAX_TEMPERATURE))
    while high - low > _PRECISION:  # golden-section search: the loss has one minimum
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return float(np.exp((low + high) / 2))
