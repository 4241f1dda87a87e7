import numpy as np
import pytest

from dogid.learning.temperature_scaling import (
    cross_fit_temperatures,
    fit_temperature,
    is_at_bound,
    nll,
    softmax,
)


def drawn(photos: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are right with the probability they state, times sharpness, and the labels."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (photos, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits)])
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 8.0])
def test_temperature_undoes_what_made_logits_too_sure(sharpness: float) -> None:
    logits, labels = drawn(5000, sharpness)
    found = fit_temperature(logits, labels)

    assert found == pytest.approx(sharpness, rel=0.05)
    assert nll(logits / found, labels) <= min(nll(logits / t, labels) for t in np.geomspace(0.1, 20, 50)) + 1e-3


def test_few_photos_that_are_all_right_are_not_certain() -> None:
    logits = 5 * np.eye(3)[np.arange(9) % 3]
    probabilities = softmax(logits / fit_temperature(logits, np.arange(9) % 3))

    assert 0.8 < probabilities.max() < 0.97


def test_cross_fitted_temperature_is_of_other_folds() -> None:
    logits, labels = drawn(400, 3.0)
    folds = np.arange(400) % 2
    temperatures = cross_fit_temperatures(logits, labels, folds)

    assert temperatures[0] == fit_temperature(logits[1::2], labels[1::2])
    assert temperatures[1] == fit_temperature(logits[::2], labels[::2])
    assert cross_fit_temperatures(logits, labels, np.zeros(400, int)).tolist() == [1.0] * 400


def test_logits_near_a_thousand_are_brought_back() -> None:
    labels = np.arange(60) % 3
    logits = 1000 * np.eye(3)[labels]
    found = fit_temperature(logits, labels)

    assert 0.9 < softmax(logits / found).max() < 0.999
    assert not is_at_bound(found)
    assert is_at_bound(fit_temperature(1e9 * np.eye(3)[labels], labels))
