"""Thresholds: as low as the precision allows, and none where they are not needed or cannot be known."""

import numpy as np

from dogid.learning.precise_thresholds import propose_thresholds

LABELS = ["ant", "bee", "crab"]


def test_threshold_is_the_lowest_that_is_precise_enough() -> None:
    rng = np.random.default_rng(1)
    best = rng.uniform(0.5, 1, 400)
    answers = np.where(np.arange(400) < 200, 0, 1)
    truth = np.where((answers == 0) & (rng.random(400) > best), 2, answers)  # ants are right as often as they say
    scores = np.zeros((400, 3))
    scores[np.arange(400), answers] = best
    scores[:, 2] = 1 - best

    (found,) = propose_thresholds(scores, truth, LABELS, 0.9)

    sure = (answers == 0) & (best >= found.threshold)
    lower = (answers == 0) & (best >= found.threshold - 0.001)
    right = answers == truth
    assert found.label == "ant"  # all bees are right without one
    assert (found.answers, found.unsure) == (200, 200 - int(sure.sum()))
    assert right[sure].mean() == found.precision >= 0.9
    assert found.precision_before == right[:200].mean() < 0.9
    assert right[lower].mean() < 0.9 or not (lower & ~sure).any()


def test_nothing_is_proposed_of_few_or_hopeless_answers() -> None:
    few = np.tile([0.6, 0.4, 0.0], (19, 1))
    assert propose_thresholds(few, np.ones(19, np.intp), LABELS, 0.9) == ()
    hopeless = np.tile([0.6, 0.4, 0.0], (50, 1))
    assert propose_thresholds(hopeless, np.ones(50, np.intp), LABELS, 0.9) == ()
    assert propose_thresholds(np.zeros((0, 3)), np.zeros(0, np.intp), LABELS, 0.9) == ()
