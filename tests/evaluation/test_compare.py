"""The figures that decide whether a model may be used."""

import math

import numpy as np
import pytest

from dogid.evaluation.compare import compare_accuracy, measure_agreement
from dogid.evaluation.intervals import mcnemar, share_interval
from dogid.evaluation.metrics import evaluate


def test_agreement_counts_equal_top_labels() -> None:
    first = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
    second = np.array([[0.7, 0.3], [0.4, 0.6], [0.1, 0.9], [0.5, 0.5]])
    found = measure_agreement(first, second)
    assert (found.photos, found.same, found.share) == (4, 3, 0.75)
    assert found.interval == share_interval(3, 4)
    assert found.mean_difference == pytest.approx((0.2 + 0 + 0.1 + 0) / 4)
    assert found.largest_difference == pytest.approx(0.2)


def test_mcnemar_counts_only_differing_photos() -> None:
    first = np.array([True] * 9 + [False] + [True] * 50)
    second = np.array([False] * 9 + [True] + [True] * 50)
    found = mcnemar(first, second)
    assert (found.only_first_right, found.only_second_right) == (9, 1)
    assert found.p_value == pytest.approx(2 * 11 / 1024)


def test_mcnemar_of_equal_models_finds_no_difference() -> None:
    assert mcnemar(np.array([True, False]), np.array([True, False])).p_value == 1


def test_mcnemar_of_many_photos_is_exact() -> None:
    first = np.array([True] * 540 + [False] * 470)
    exact = 2 * sum(math.comb(1010, i) for i in range(471)) / 2**1010
    assert mcnemar(first, ~first).p_value == pytest.approx(exact)


@pytest.mark.parametrize(("hits", "count"), [(0, 3), (1, 7), (50, 80), (793, 800)])
def test_share_interval_is_wilsons(hits: int, count: int) -> None:
    share, z = hits / count, 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    assert share_interval(hits, count) == pytest.approx((centre - half, centre + half), abs=1e-7)


def test_share_interval_of_full_agreement_is_not_a_point() -> None:
    low, high = share_interval(100, 100)
    assert high == pytest.approx(1)
    assert low == pytest.approx(0.963, abs=0.001)


def test_absent_labels_are_not_in_the_matrix() -> None:
    names = tuple(f"label {i}" for i in range(5000))
    answers = np.zeros((4, 5000))
    answers[range(4), [7, 7, 4000, 3]] = 1
    found = compare_accuracy(answers, answers, np.array([7, 7, 4000, 4000]), names)
    assert found.labels == ("label 3", "label 7", "label 4000")
    assert found.converted.confusion == ((0, 0, 0), (0, 2, 0), (1, 0, 1))
    assert found.converted.accuracy == 0.75


def test_both_models_are_evaluated_on_the_same_labels() -> None:
    names = ("a", "b", "c")
    first, second = np.eye(3)[[0, 0, 2, 2, 2]], np.eye(3)[[0, 2, 2, 0, 0]]
    labels = np.array([0, 0, 2, 2, 0])
    found = compare_accuracy(first, second, labels, names)
    assert found.labels == ("a", "c")
    assert found.float_model == evaluate(first[:, [0, 2]], np.array([0, 0, 1, 1, 0]))
    assert found.converted == evaluate(second[:, [0, 2]], np.array([0, 0, 1, 1, 0]))
    assert found.disagreement == mcnemar(
        np.array([True, True, True, True, False]), np.array([True, False, True, False, True])
    )


@pytest.mark.parametrize(("label", "shown"), [(0, ("a", "b")), (1, ("a", "b")), (2, ("a", "c"))])
def test_single_label_gets_a_second_beside_it(label: int, shown: tuple[str, ...]) -> None:
    answers = np.eye(3)[[label, label]]
    found = compare_accuracy(answers, answers, np.array([label, label]), ("a", "b", "c"))
    assert found.labels == shown
    assert sum(map(sum, found.converted.confusion)) == 2
    assert found.converted.accuracy == 1.0
