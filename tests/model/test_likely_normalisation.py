"""A guess is given up for a range that the model's own answers speak for, and for no other."""

from collections.abc import Sequence

import numpy as np
import pytest

from dogid.model.likely_normalisation import find_likely, make_test_pictures
from dogid.model.output_scores import Scores
from dogid.preprocessing import MINUS_1_TO_1, ZERO_TO_1, ZERO_TO_255, Normalisation, Origin

PICTURES = make_test_pictures((32, 32))


def answers_by_level(normalisation: Normalisation, *, threshold: float, gain: float) -> Sequence[Scores]:
    """Scores of "dark" and "bright", as a network gives them that wants values around threshold."""
    fed = [(picture.mean() - normalisation.mean[0]) / normalisation.std[0] for picture in PICTURES]
    bright = [1 / (1 + np.exp(-gain * (value - threshold))) for value in fed]
    return [np.array([1 - p, p], np.float32) for p in bright]


@pytest.mark.parametrize(
    ("threshold", "gain", "guess", "expected"),
    [
        (0.4, 60.0, MINUS_1_TO_1, ZERO_TO_1),
        (100.0, 0.3, MINUS_1_TO_1, ZERO_TO_255),
        (100.0, 0.3, ZERO_TO_1, ZERO_TO_255),
        (-0.3, 60.0, ZERO_TO_1, MINUS_1_TO_1),
    ],
)
def test_range_with_different_answers_is_preferred(
    threshold: float, gain: float, guess: Normalisation, expected: Normalisation
) -> None:
    likely = find_likely(guess, lambda n: answers_by_level(n, threshold=threshold, gain=gain))

    assert likely is not None
    assert (likely.normalisation, likely.origin) == (expected, Origin.GUESSED)
    assert f"with {guess.setting} every test picture gets the same answer" in likely.reason


def test_guess_with_different_answers_stays() -> None:
    assert find_likely(MINUS_1_TO_1, lambda n: answers_by_level(n, threshold=-0.2, gain=3.0)) is None


def test_sure_answers_that_differ_a_little_stay() -> None:
    def classify(normalisation: Normalisation) -> Sequence[Scores]:
        if normalisation != MINUS_1_TO_1:
            return answers_by_level(normalisation, threshold=0.4, gain=60.0)
        return [np.array([0.98 + 0.002 * at, 0.02 - 0.002 * at], np.float32) for at in range(len(PICTURES))]

    assert find_likely(MINUS_1_TO_1, classify) is None


def test_one_answer_with_every_range_stays() -> None:
    assert find_likely(MINUS_1_TO_1, lambda _: [np.array([1.0, 0.0], np.float32)] * len(PICTURES)) is None
