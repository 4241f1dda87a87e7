"""Stored photos that look like a new label: those that show it are suspected, not all that resemble it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.learning.contradictions import find_lookalikes
from dogid.learning.discriminant_analysis import PooledCovariance

_AT, _AT_ITS_EDGE = 6.0, 4.9


def draw(rng: np.random.Generator, photos: int, place: float, spread: float = 1.0) -> NDArray[np.float32]:
    points = rng.normal(0, 1, (photos, 8))
    points[:, 0] = place + rng.normal(0, spread, photos)
    return points.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_what_only_resembles_a_new_label_is_not_suspected(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = draw(rng, 2000, 0), draw(rng, 30, _AT)
    covariance = PooledCovariance.measure(old, np.zeros(len(old), np.intp), np.ones(len(old)), 1)

    def suspect(hidden: NDArray[np.float32]) -> int:
        found = find_lookalikes(np.concatenate([old, hidden]), covariance, new)
        assert found[: len(old)].sum() <= 2
        return int(found[len(old) :].sum())

    assert suspect(draw(rng, 40, _AT)) >= 30
    assert suspect(draw(rng, 40, _AT_ITS_EDGE, 0.15)) <= 5
