"""The gate's arithmetic: it does not take chance for progress, and says what so many photos cannot show."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.learning.comparison import Comparison
from dogid.learning.gate import NEEDED_E_VALUE, Evidence, Gate
from dogid.learning.gate import judge as judge_evidence
from dogid.learning.gate_statistics import bound_share, compute_e_value

LABELS = ["ant", "bee", "crab", "dodo"]
Answers = NDArray[np.intp]


def compare(labels: Answers, before: Answers, after: Answers) -> Comparison:
    return Comparison(before == labels, after == labels, np.arange(len(labels), dtype=np.intp), labels)


def judge(
    reviewed: Comparison,
    unseen: Comparison,
    contested: NDArray[np.bool_] | None = None,
    since: Comparison | None = None,
) -> Gate:
    """Judge where the models answer as the layers do that they are judged by."""
    contested = np.zeros(len(unseen.labels), bool) if contested is None else contested
    others = unseen.select(~contested)
    shares = np.bincount(unseen.labels[contested], minlength=len(LABELS)) / np.bincount(unseen.labels, minlength=4)
    none = unseen.select(np.zeros(len(unseen.labels), bool))
    return judge_evidence(Evidence(reviewed, unseen, contested, others, others, shares, since or none), LABELS)


def answer(labels: Answers, right: float, rng: np.random.Generator) -> Answers:
    """Return answers of which so many are right."""
    other = (labels + rng.integers(1, len(LABELS), len(labels))) % len(LABELS)
    return np.where(rng.random(len(labels)) < right, labels, other)


@pytest.mark.parametrize(("gained", "lost", "expected"), [(7, 0, 31.9), (9, 1, 18.5), (11, 1, 52.4), (14, 2, 64.2)])
def test_e_value_is_the_integral(gained: int, lost: int, expected: float) -> None:
    assert compute_e_value(gained, lost) == pytest.approx(expected, abs=0.05)
    p = np.linspace(0.5, 1, 200_001)
    values = (2 * p) ** gained * (2 * (1 - p)) ** lost
    assert compute_e_value(gained, lost) == pytest.approx(2 * np.trapezoid(values, p), rel=1e-6)


def test_looking_fifty_times_at_one_layer_rarely_raises_an_alarm() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(1000):
        gained = np.cumsum(rng.binomial(4, 0.5, 50))  # of four discordant photos between two looks
        lost = 4 * np.arange(1, 51) - gained
        alarms += any(compute_e_value(int(g), int(b)) >= NEEDED_E_VALUE for g, b in zip(gained, lost, strict=True))
    assert alarms <= 50


@pytest.mark.parametrize(
    ("lost", "photos", "points"), [(0, 1000, 0.30), (1, 1000, 0.47), (2, 1000, 0.63), (0, 386, 0.77), (0, 180, 1.65)]
)
def test_loss_that_so_many_photos_cannot_exclude(lost: int, photos: int, points: float) -> None:
    assert bound_share(lost, photos) * 100 == pytest.approx(points, abs=0.005)


def test_statement_names_the_loss_that_cannot_be_excluded() -> None:
    right = np.arange(180, dtype=np.intp) % 4
    corrected = compare(right[:20], right[:20] + 1, right[:20])
    gate = judge(corrected, compare(right, right, right))

    assert gate.passed
    assert "a loss of up to 1.7 points cannot be excluded" in gate.not_worse.statement
    few = np.arange(40, dtype=np.intp) % 4
    assert not judge(compare(few, few + 1, few), compare(few, few, few)).passed


def test_rare_label_that_is_lost_is_a_reason_by_itself() -> None:
    labels = np.repeat(np.arange(4), [2985, 5, 5, 8]).astype(np.intp)
    lost = np.where(labels == 3, 0, labels)
    gate = judge(compare(labels[:20], labels[:20] + 1, labels[:20]), compare(labels, labels, lost))

    assert gate.not_worse.largest_loss <= gate.not_worse.margin
    assert [reason for reason in gate.reasons if reason.startswith("dodo")]


@pytest.mark.parametrize(("photos", "lost", "passed"), [(6, 6, False), (6, 3, False), (6, 2, True), (1, 1, True)])
def test_label_that_loses_half_of_few_photos_is_a_reason(photos: int, lost: int, *, passed: bool) -> None:
    labels = np.repeat(np.arange(4), [600, 300, 1200, photos]).astype(np.intp)
    after = np.where(np.arange(len(labels)) >= len(labels) - lost, 0, labels)
    gate = judge(compare(labels[:20], labels[:20] + 1, labels[:20]), compare(labels, labels, after))

    assert gate.passed == passed


@pytest.mark.parametrize(("contested", "passed"), [(6, True), (12, False)])
def test_contested_photos_are_bounded_and_too_many_refuse(contested: int, *, passed: bool) -> None:
    labels = np.repeat(np.arange(4), 300).astype(np.intp)
    taken = np.arange(len(labels)) < contested
    gate = judge(compare(labels[:20], labels[:20] + 1, labels[:20]),
                 compare(labels, labels, np.where(taken, 3, labels)), taken)  # fmt: skip

    assert (gate.passed, gate.not_worse.contested, gate.not_worse.lost) == (passed, contested, 0)
    assert gate.not_worse.worst_loss > contested / len(labels) > gate.not_worse.largest_loss
    assert f"if {contested} photos" in gate.not_worse.statement


def test_losses_of_all_rounds_add_up() -> None:
    """Two of 400 photos lost in each round pass, until too many are."""
    labels = np.arange(400, dtype=np.intp) % 4
    passed = []
    for number in range(10):
        before, after = (np.where(np.arange(400) < 2 * lost, (labels + 1) % 4, labels) for lost in (number, number + 1))
        gate = judge(compare(labels[:20], labels[:20] + 1, labels[:20]), compare(labels, before, after),
                     since=compare(labels, labels, after))  # fmt: skip
        passed.append(gate.passed)

    assert passed == [True] * 4 + [False] * 6


def test_same_model_is_no_difference() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 4, 1000)
    answers = answer(labels, 0.9, rng)
    gate: Gate = judge(compare(labels[:50], answers[:50], answers[:50]), compare(labels, answers, answers))

    assert not gate.passed
    assert "no difference" in " ".join(gate.reasons)
    assert (gate.better.e_value, gate.better.mcnemar_p) == (1.0, 1.0)


def test_bursts_count_once() -> None:
    labels = np.ones(30, np.intp)
    burst = Comparison(labels == 0, labels == 1, np.zeros(30, np.intp), labels)
    every = np.arange(1000, dtype=np.intp) % 4
    unseen = compare(every, every, every)

    gate = judge(burst, unseen)
    assert (gate.better.photos, gate.better.gained) == (30, 1)
    assert not gate.passed
