import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.evaluation import metrics


def _answer(hits: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return sure answers [photos, 2], right where hits are."""
    return np.eye(2)[np.where(hits, labels, 1 - labels)]


def test_photos_of_one_source_count_as_one() -> None:
    """Forty sources of 25 photos each, all right or all wrong: as much is known as from forty photos."""
    hits = np.repeat(np.arange(40) % 4 > 0, 25)
    labels, groups = np.arange(1000) % 2, np.repeat(np.arange(40), 25)

    by_photo = metrics.evaluate(_answer(hits, labels), labels).accuracy_interval
    by_group = metrics.evaluate(_answer(hits, labels), labels, groups).accuracy_interval

    half = 1.96 * np.sqrt(0.75 * 0.25 / 40)
    assert (by_group.low, by_group.high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.03)
    assert by_photo.high - by_photo.low < 0.3 * (by_group.high - by_group.low)


def test_sources_of_one_photo_each_are_photos() -> None:
    labels = np.arange(400) % 2
    hits = np.random.default_rng(0).random(400) < 0.8

    by_photo = metrics.evaluate(_answer(hits, labels), labels)
    by_group = metrics.evaluate(_answer(hits, labels), labels, np.arange(400))

    for one, other in [
        (by_photo.accuracy_interval, by_group.accuracy_interval),
        (by_photo.macro_recall_interval, by_group.macro_recall_interval),
        *zip(by_photo.recall_intervals, by_group.recall_intervals, strict=True),
    ]:
        assert one is not None
        assert other is not None
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=0.015)


def test_all_right_is_known_by_number_of_sources() -> None:
    """Clopper and Pearson's bound for ten sources, not for a thousand photos."""
    labels = np.repeat([0, 1], 500)
    found = metrics.evaluate(np.eye(2)[labels], labels, np.repeat(np.arange(10), 100))

    assert found.accuracy_interval.low == pytest.approx(0.692, abs=1e-3)
    assert found.recall_intervals[0] is not None
    assert found.recall_intervals[0].low == pytest.approx(0.025 ** (1 / 5))


def test_label_of_one_source_has_no_interval() -> None:
    labels, groups = np.array([0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 2])
    found = metrics.evaluate(_answer(np.array([1, 0, 1, 1, 0]) > 0, labels), labels, groups)

    assert found.recall_intervals[0] is None
    assert found.recall_intervals[1] is not None
