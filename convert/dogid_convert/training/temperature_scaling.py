"""Temperature scaling: the same answers, with probabilities that can be believed.

Guo et al. 2017, "On Calibration of Modern Neural Networks": one number that all logits are divided by, chosen so that
photos the network was not trained on are least surprising.
"""

import numpy as np
from numpy.typing import NDArray

_HOTTEST, _COLDEST = 4.0, 0.25
_STEPS = 400


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities [photos, labels]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def surprise(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Return the mean negative log-likelihood of the true labels, in nats."""
    chosen = softmax(logits)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def best_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Return the temperature in 0.25..4 with the least surprise; logits are of photos not trained on."""
    candidates = np.exp(np.linspace(np.log(_COLDEST), np.log(_HOTTEST), _STEPS + 1))
    return float(min(candidates, key=lambda temperature: surprise(logits / temperature, truth)))
