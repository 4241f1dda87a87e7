"""The gate: it refuses worse models, does not take chance for progress, and says what so many photos cannot show."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.learning.gate import NEEDED_E_VALUE, Comparison, Gate, bound_share, compute_e_value, judge

LABELS = ["ant", "bee", "crab", "dodo"]
Answers = NDArray[np.intp]


def compare(labels: Answers, before: Answers, after: Answers) -> Comparison:
    return Comparison(before == labels, after == labels, np.arange(len(labels), dtype=np.intp), labels)


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


def test_looking_fifty_times_at_the_same_model_rarely_raises_an_alarm() -> None:
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
    right = np.ones(180, np.intp)
    corrected = compare(right[:20], right[:20] * 0, right[:20])
    gate = judge(corrected, compare(right, right, right), LABELS)

    assert gate.passed
    assert "a loss of up to 1.7 points cannot be excluded" in gate.not_worse.statement
    few = np.ones(40, np.intp)
    assert not judge(compare(few, few * 0, few), compare(few, few, few), LABELS).passed


def shuffle_labels(right: Answers, rng: np.random.Generator) -> Answers:
    """Answer as a model whose labels were exchanged for one another."""
    order = rng.permutation(len(LABELS))
    while (order == np.arange(len(LABELS))).any():
        order = rng.permutation(len(LABELS))
    return np.asarray(order[right])


def drop_label(right: Answers, rng: np.random.Generator) -> Answers:
    """Answer as a model without one of the labels."""
    gone = int(rng.integers(0, len(LABELS) - 1))
    return np.where(right == gone, (gone + 1) % len(LABELS), right)


def damage_weights(right: Answers, rng: np.random.Generator) -> Answers:
    """Answer as a model some of whose weights are noise: a twentieth of the answers is another one."""
    return np.where(rng.random(len(right)) < 0.05, rng.integers(0, len(LABELS), len(right)), right)


@pytest.mark.parametrize("worsen", [shuffle_labels, drop_label, damage_weights])
def test_worse_models_are_refused_each_time(
    worsen: Callable[[Answers, np.random.Generator], Answers],
) -> None:
    """Even where people corrected twenty photos that the new model all answers rightly."""
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(100):
        labels = rng.choice(len(LABELS), 1000, p=[0.6, 0.3, 0.05, 0.05]).astype(np.intp)
        before = answer(labels, 0.95, rng)
        corrected = np.full(20, 3, np.intp)
        gate = judge(compare(corrected, corrected * 0, corrected), compare(labels, before, worsen(before, rng)),
                     LABELS)  # fmt: skip
        assert gate.better.e_value >= NEEDED_E_VALUE
        refused += not gate.passed
    assert refused == 100


def test_rare_label_that_is_lost_is_a_reason_by_itself() -> None:
    labels = np.repeat(np.arange(4), [2985, 5, 5, 8]).astype(np.intp)
    lost = np.where(labels == 3, 0, labels)
    gate = judge(compare(labels[:20], labels[:20] + 1, labels[:20]), compare(labels, labels, lost), LABELS)

    assert gate.not_worse.largest_loss <= gate.not_worse.margin
    assert [reason for reason in gate.reasons if reason.startswith("dodo")]


def test_same_model_is_no_difference() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 4, 1000)
    answers = answer(labels, 0.9, rng)
    gate: Gate = judge(compare(labels[:50], answers[:50], answers[:50]), compare(labels, answers, answers), LABELS)

    assert not gate.passed
    assert "no difference" in " ".join(gate.reasons)
    assert (gate.better.e_value, gate.better.mcnemar_p) == (1.0, 1.0)


def test_bursts_count_once() -> None:
    labels = np.ones(30, np.intp)
    burst = Comparison(labels == 0, labels == 1, np.zeros(30, np.intp), labels)
    unseen = compare(np.ones(1000, np.intp), np.ones(1000, np.intp), np.ones(1000, np.intp))

    gate = judge(burst, unseen, LABELS)
    assert (gate.better.photos, gate.better.gained) == (30, 1)
    assert not gate.passed
