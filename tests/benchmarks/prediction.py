"""What a photo costs, as a formula fitted here, and what it says of other boards. Predicted, not measured.

cost (core-ms) = fixed + decode * megapixels + hash * megabytes + invoke

Published figures of the boards (their sources are in RESULTS.md) give the invoke part: the multi-threaded latency of an
int8 MobileNet v2 1.0 on four cores, taken four times as core-ms. Nothing is published for decoding: it is scaled by
an assumed range of how much slower one core of the board decodes than one core here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Board:
    """A board, by published figures and assumptions."""

    name: str
    cores: int
    invoke_ms: float
    """Multi-threaded latency of MobileNet v2 int8, published."""
    slower: tuple[float, float]
    """How many times one core takes what one core takes here, for all but invoking; assumed, from and to."""


BOARDS = (
    Board("Raspberry Pi 4", 4, 17.0, (4.0, 7.0)),
    Board("Raspberry Pi 5", 4, 4.01, (2.0, 3.5)),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a photo, in core-milliseconds: fixed + per_megapixel * megapixels, without invoking."""

    fixed: float
    per_megapixel: float
    invoke: float

    def here(self, megapixels: float) -> float:
        """Core-milliseconds on this machine."""
        return self.fixed + self.per_megapixel * megapixels + self.invoke

    def per_second(self, board: Board, megapixels: float) -> tuple[float, float]:
        """Photos per second of all the board's cores, from and to."""
        rest = self.fixed + self.per_megapixel * megapixels
        low, high = (
            board.cores * 1000 / (rest * times + board.cores * board.invoke_ms) for times in reversed(board.slower)
        )
        return low, high


def fitted(megapixels: Sequence[float], cpu_per_1000: Sequence[float], invoke_ms: float) -> Cost:
    """Fit the line to what was measured here: processor seconds for 1,000 photos are core-milliseconds for one.

    Weighted so that the relative errors count alike at all sizes.
    """
    sizes, costs = np.asarray(megapixels), np.asarray(cpu_per_1000)
    slope, fixed = np.polyfit(sizes, costs, 1, w=1 / costs)
    return Cost(float(max(fixed - invoke_ms, 0.0)), float(slope), invoke_ms)
