import math
import tracemalloc

import numpy as np
import pytest

from dogid.evaluation import metrics
from dogid.evaluation.intervals import Interval, share_interval
from dogid.learning.temperature_scaling import fit_temperature, softmax

SURE = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
LABELS = np.array([0, 1, 1, 2])


def test_confusion_matrix_has_a_row_per_true_label() -> None:
    found = metrics.evaluate(SURE, LABELS)

    assert found.photos == 4
    assert found.confusion == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
    assert found.accuracy == 0.75
    assert found.recalls == (1.0, 0.5, 1.0)
    assert found.precisions == (0.5, 1.0, 1.0)
    assert found.macro_recall == pytest.approx(2.5 / 3)
    assert found.calibration_error == metrics.expected_calibration_error(SURE, LABELS)


def test_evaluation_is_the_same_each_time() -> None:
    answers, labels = np.tile(SURE, (100, 1)), np.tile(LABELS, 100)

    assert metrics.evaluate(answers, labels) == metrics.evaluate(answers, labels)


@pytest.mark.filterwarnings("error")
def test_label_without_photos_is_left_out_of_macro_recall() -> None:
    found = metrics.evaluate(SURE[:3], LABELS[:3])

    assert math.isnan(found.recalls[2])
    assert found.macro_recall == pytest.approx(0.75)


def test_interval_narrows_with_more_photos() -> None:
    few = metrics.evaluate(np.tile(SURE, (5, 1)), np.tile(LABELS, 5)).accuracy_interval
    many = metrics.evaluate(np.tile(SURE, (500, 1)), np.tile(LABELS, 500)).accuracy_interval

    assert few.low < 0.75 < few.high
    assert many.high - many.low < 0.2 * (few.high - few.low)


def test_interval_is_binomial() -> None:
    found = metrics.evaluate(np.tile(SURE, (100, 1)), np.tile(LABELS, 100)).accuracy_interval

    assert found.low == pytest.approx(0.75 - 1.96 * math.sqrt(0.75 * 0.25 / 400), abs=0.01)


@pytest.mark.filterwarnings("error")
def test_macro_recall_interval_is_the_bootstraps() -> None:
    labels = np.repeat([0, 1, 2], [2, 10, 20])  # each seventh sample has none of label 0
    predicted = np.array([0, 1, *[1] * 8, 2, 2, *[2] * 18, 1, 1])
    draws = np.random.default_rng(1).integers(0, len(labels), (4000, len(labels)))
    hits = [np.where(labels[draws] == label, labels[draws] == predicted[draws], 0).sum(axis=1) for label in range(3)]
    totals = [(labels[draws] == label).sum(axis=1) for label in range(3)]
    recalls = np.array(
        [np.where(total > 0, hit / np.maximum(total, 1), np.nan) for hit, total in zip(hits, totals, strict=True)]
    )
    low, high = np.quantile(np.nanmean(recalls, axis=0), (0.025, 0.975))

    found = metrics.evaluate(np.eye(3)[predicted], labels).macro_recall_interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


@pytest.mark.parametrize(("photos", "least"), [(1, 0.025), (4, 0.398), (10, 0.692), (100, 0.964)])
def test_interval_of_all_right_is_clopper_pearson(photos: int, least: float) -> None:
    found = metrics.evaluate(np.eye(2)[np.zeros(photos, int)], np.zeros(photos, np.int64))

    assert found.accuracy_interval.low == pytest.approx(least, abs=1e-3)
    assert found.accuracy_interval.high == 1.0
    assert found.macro_recall_interval == found.accuracy_interval


def test_interval_of_all_wrong_mirrors_all_right() -> None:
    found = metrics.evaluate(np.eye(2)[np.zeros(10, int)], np.ones(10, np.int64))

    assert found.accuracy_interval.low == 0.0
    assert found.accuracy_interval.high == pytest.approx(1 - 0.692, abs=1e-3)


def test_label_of_one_photo_widens_macro_recall_interval() -> None:
    """Its recall may be anything from 2.5 % on, and it is a quarter of the mean."""
    labels = np.repeat([0, 1, 2, 3], [1, 400, 400, 400])
    found = metrics.evaluate(np.eye(4)[labels], labels)

    assert found.accuracy_interval.low > 0.99
    assert found.macro_recall_interval.low == pytest.approx((0.025 + 3) / 4, abs=1e-6)
    assert found.macro_recall_interval.high == 1.0


def test_label_of_one_photo_widens_interval_of_all_wrong() -> None:
    labels = np.repeat([0, 1, 2, 3], [1, 400, 400, 400])
    found = metrics.evaluate(np.eye(4)[(labels + 1) % 4], labels)

    assert found.macro_recall_interval.low == 0.0
    assert found.macro_recall_interval.high == pytest.approx(1 - (0.025 + 3) / 4, abs=1e-6)


def test_calibration_error_is_confidence_minus_accuracy() -> None:
    confident = np.array([[0.9, 0.1]] * 10)

    assert metrics.expected_calibration_error(confident, np.array([0] * 9 + [1])) == pytest.approx(0.0)
    assert metrics.expected_calibration_error(confident, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.4)


def test_calibration_error_is_weighed_by_bins() -> None:
    confidence = np.repeat([0.7, 0.9, 0.95, 1.0], 10)  # the last two share the last of 15 bins
    answers = np.stack([confidence, 1 - confidence], axis=1)
    right = np.array([*[0] * 4, *[1] * 6, *[0] * 10, *[0] * 10, *[0] * 5, *[1] * 5])

    error = metrics.expected_calibration_error(answers, right)
    assert error == pytest.approx((abs(7 - 4) + abs(9 - 10) + abs(9.5 - 10 + 10 - 5)) / 40)


def test_thousand_labels_take_little_memory() -> None:
    classes = 1000
    labels = np.arange(2 * classes) % classes
    answers = np.eye(classes, dtype=np.float32)[np.where(np.arange(len(labels)) % 4, labels, 0)]

    tracemalloc.start()
    found = metrics.evaluate(answers, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found.accuracy_interval.low < found.accuracy < found.accuracy_interval.high
    assert peak < 300e6  # 2,000 whole confusion matrices would be 16 GB


def test_no_photos_raise() -> None:
    with pytest.raises(ValueError, match=r"^no photos to evaluate on$"):
        metrics.evaluate(np.zeros((0, 3)), np.zeros(0, np.int64))


def test_answers_for_other_photos_raise() -> None:
    with pytest.raises(ValueError, match=r"^4 answers for 3 photos$"):
        metrics.evaluate(SURE, LABELS[:3])


def test_temperature_calibrates_overconfident_network() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (4000, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(honest)])

    temperature = fit_temperature(honest * 3, labels)

    assert temperature == pytest.approx(3, rel=0.1)
    assert metrics.expected_calibration_error(softmax(honest * 3 / temperature), labels) < 0.03


def test_confidence_bins_have_all_photos() -> None:
    answers = np.array([[0.95, 0.05], [0.92, 0.08], [0.45, 0.55], [1.0, 0.0]])

    found = metrics.bin_by_confidence(answers, np.array([0, 1, 1, 0]), (0.0, 0.5, 0.9, 1.0))

    assert [one.photos for one in found] == [0, 1, 3]
    assert math.isnan(found[0].accuracy)
    assert found[2].accuracy == pytest.approx(2 / 3)
    assert found[2].confidence == pytest.approx((0.95 + 0.92 + 1) / 3)


def test_recall_of_each_label_has_wilsons_interval() -> None:
    found = metrics.evaluate(SURE[:3], LABELS[:3]).recall_intervals

    assert found[1] == Interval(*share_interval(1, 2))
    assert found[2] is None
