"""Intervals of shares, and McNemar's test: exact, by the standard library alone, so that they run on the device."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, where nothing else is stated."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Does one of two models make more errors? McNemar's test, exact."""

    only_first_right: int
    only_second_right: int
    p_value: float


def share_interval(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the ends of Wilson's interval (1927) of hits among count, of which there is at least one.

    It is sensible also where all or none are hits.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = hits / count, z * z / count
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> Disagreement:
    """Test, two-sided and exact, whether both are right equally often; both are [photos] (McNemar 1947)."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    return Disagreement(only_first, only_second, _sign_test(only_first, only_second))


def _sign_test(first: int, second: int) -> float:
    """Return how likely a split of first + second fair coins at least as uneven as this one is."""
    coins, fewer = first + second, min(first, second)
    if first == second:
        return 1.0
    ways, total = 1, 1
    for taken in range(1, fewer + 1):
        ways = ways * (coins - taken + 1) // taken  # "coins choose taken", in whole numbers
        total += ways
    p_value: float = 2 * total / 2**coins
    return p_value
