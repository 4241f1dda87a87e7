import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.learning.logistic_regression import Matrix, fit_softmax


def clouds(photos: int = 120, width: int = 10, labels: int = 3) -> tuple[Matrix, NDArray[np.int64], Matrix]:
    """Return overlapping clouds of points, their labels, and weights from 0.5 to 2."""
    rng = np.random.default_rng(0)
    of = np.arange(photos) % labels
    return np.eye(width)[of] + rng.normal(0, 1, (photos, width)), of, rng.uniform(0.5, 2, photos)


def fit(inputs: Matrix, labels: NDArray[np.int64], weights: Matrix, l2: float) -> tuple[Matrix, Matrix]:
    count = int(labels.max()) + 1
    return fit_softmax(inputs, labels, weights, l2, (np.zeros((inputs.shape[1], count)), np.zeros(count)))


@pytest.mark.parametrize("l2", [0.1, 10.0, 1000.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_softmax_equals_scikit_learns(l2: float, scale: float) -> None:
    from sklearn.linear_model import LogisticRegression  # a second to import

    inputs, labels, weights = clouds()
    inputs = inputs * scale
    found = fit(inputs, labels, weights, l2)

    expected = LogisticRegression(C=1 / l2, tol=1e-8, max_iter=10_000).fit(inputs, labels, sample_weight=weights)
    logits = inputs @ found[0] + found[1]
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected.predict_proba(inputs), atol=1e-3)


def test_separable_labels_have_finite_weights() -> None:
    inputs = np.repeat(np.eye(3), 5, axis=0)
    weights, biases = fit(inputs, np.repeat(np.arange(3), 5), np.ones(15), 1e-4)

    assert np.isfinite(weights).all()
    assert (inputs @ weights + biases).argmax(axis=1).tolist() == np.repeat(np.arange(3), 5).tolist()


def test_start_has_no_effect_on_the_result() -> None:
    inputs, labels, weights = clouds()
    rng = np.random.default_rng(1)
    elsewhere = rng.normal(0, 1, (10, 3)), rng.normal(0, 1, 3)

    found, again = fit(inputs, labels, weights, 1.0), fit_softmax(inputs, labels, weights, 1.0, elsewhere)
    np.testing.assert_allclose(found[0], again[0], atol=1e-3)
