import numpy as np
import pytest

from dogid.evaluation.compare import Accuracies, Agreement, compare_accuracy, measure_agreement
from dogid_convert.conversion.gate import decide


def agreeing(same: int, photos: int) -> Agreement:
    """Two models with the same label for so many photos."""
    first = np.eye(2)[np.zeros(photos, int)]
    second = np.eye(2)[(np.arange(photos) >= same).astype(int)]
    return measure_agreement(first, second)


def accuracies(only_float: int, only_converted: int, both: int) -> Accuracies:
    """Two models of which so many photos are right only with one, and with both."""
    first = np.repeat([0, 1, 0], [only_float, only_converted, both])
    second = np.repeat([1, 0, 0], [only_float, only_converted, both])
    return compare_accuracy(np.eye(2)[first], np.eye(2)[second], np.zeros(len(first), np.int64), ("a", "b"))


@pytest.mark.parametrize(
    ("same", "photos", "passed", "doubted"),
    [
        (100, 100, True, False),
        (784, 800, True, False),
        (29, 30, True, True),  # 97 % may well be 98 %
        (777, 800, True, True),
        (20, 30, False, False),
        (760, 800, False, False),
    ],
)
def test_agreement_is_refused_where_its_interval_is_too_low(
    same: int, photos: int, passed: bool, doubted: bool
) -> None:
    verdict = decide(agreeing(same, photos), None, 0.98)

    assert verdict.passed is passed
    assert bool(verdict.doubt) is doubted


@pytest.mark.parametrize(
    ("only_float", "only_converted", "both", "passed", "doubted"),
    [
        (20, 19, 61, True, False),  # they agree for 61 %, and are right equally often
        (0, 30, 70, True, False),  # it is better
        (3, 0, 97, True, True),  # may be chance
        (30, 2, 68, False, False),
        (10, 1, 1989, True, True),  # a real loss of half a point
    ],
)
def test_known_labels_decide_by_accuracy(
    only_float: int, only_converted: int, both: int, passed: bool, doubted: bool
) -> None:
    photos = only_float + only_converted + both
    verdict = decide(agreeing(both, photos), accuracies(only_float, only_converted, both), 0.98)

    assert verdict.passed is passed
    assert bool(verdict.doubt) is doubted


def test_too_few_labels_to_show_a_loss_leave_it_to_agreement() -> None:
    lost_half = accuracies(5, 0, 5)

    assert decide(agreeing(5, 10), lost_half, 0.98).passed is False
    assert decide(agreeing(99, 100), lost_half, 0.98).passed is True
    assert decide(agreeing(5, 10), accuracies(0, 3, 7), 0.98).passed is True  # it is right more often


def test_loss_of_over_a_point_is_never_no_sign() -> None:
    verdict = decide(None, accuracies(5, 0, 5), 0.98)

    assert "no sign" not in verdict.reason
    assert "right less often" in verdict.reason


def test_without_photos_nothing_is_decided() -> None:
    assert decide(None, None, 0.98).passed is None
