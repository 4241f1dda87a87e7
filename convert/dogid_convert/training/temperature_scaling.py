"""Temperature scaling: calibrated probabilities, the same predictions.

Guo et al. 2017, "On Calibration of Modern Neural Networks": one number that all logits are divided by, chosen so that
the negative log-likelihood of photos that the network was not trained on is lowest.
"""

import numpy as np
from numpy.typing import NDArray

_MAX_TEMPERATURE, _MIN_TEMPERATURE = 4.0, 0.25
_STEPS = 400  # of the search; neighbours differ by 0.7 %


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


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature in 0.25..4 with the lowest `nll`; logits [photos, labels] are of photos not trained on."""
    candidates = np.exp(np.linspace(np.log(_MIN_TEMPERATURE), np.log(_MAX_TEMPERATURE), _STEPS + 1))
    return float(min(candidates, key=lambda temperature: nll(logits / temperature, labels)))
