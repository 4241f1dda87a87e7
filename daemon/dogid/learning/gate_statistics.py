"""The statistics of the gate.

An e-value, the evidence of a test martingale on discordant pairs with a uniform mixture over p > 1/2 (Ville 1939,
Shafer 2021), and bounds on shares (Clopper and Pearson 1934).
"""

import math

import numpy as np
from numpy.typing import NDArray

_LARGEST_E_VALUE = 10**9  # that is stated: a thousand gains would not fit a float
_TAIL = 0.05  # of the bound on the loss, one-sided
_BISECTIONS = 60  # more cannot be expressed


def compute_e_value(gained: int, lost: int) -> float:
    """Return the evidence that a discordant cluster is more likely gained than lost.

    It is 2 * integral from 1/2 to 1 of (2p)^gained (2(1-p))^lost dp, in closed form by the incomplete beta function.
    """
    coins = gained + lost + 1
    ways, total = sum(math.comb(coins, taken) for taken in range(gained + 1)), coins * math.comb(coins - 1, gained)
    return ways / total if ways < _LARGEST_E_VALUE * total else float(_LARGEST_E_VALUE)


def bound_share(hits: int, count: int, tail: float = _TAIL) -> float:
    """Return the largest share at which as few as hits among count are no rarer than tail; 1 without any."""
    if hits >= count:
        return 1.0
    taken = np.arange(1, hits + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((count - taken + 1) / taken))])  # logarithms of "count choose taken"
    low, high = hits / count, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(ways, count, middle) > tail else (low, middle)
    return high


def _at_most(ways: NDArray[np.float64], count: int, share: float) -> float:
    """Return how likely fewer than len(ways) hits among count are, each with probability share (0..1, exclusive)."""
    if share >= 1.0:
        return 0.0
    taken = np.arange(len(ways))
    return float(np.exp(ways + taken * math.log(share) + (count - taken) * math.log1p(-share)).sum())


def bound_loss(gained: int, lost: int, clusters: int) -> float:
    """Return the net loss that cannot be excluded; with gains, either side has half of the tail (Bonferroni)."""
    if not gained:
        return bound_share(lost, clusters)
    least_gain = 1 - bound_share(clusters - gained, clusters, _TAIL / 2)
    return bound_share(lost, clusters, _TAIL / 2) - least_gain


def sign_tail(gained: int, lost: int) -> float:
    """Return how likely at most so many of the discordant photos are gained, if either is as likely."""
    coins = gained + lost
    return float(sum(math.comb(coins, taken) for taken in range(gained + 1)) / 2**coins)
