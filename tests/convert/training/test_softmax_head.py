import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="training needs TensorFlow")

from dogid_convert.training.backbone import Floats, Head
from dogid_convert.training.softmax_head import fit_head, fit_head_stepwise

WIDTH = 6


def clouds(of: list[int], each: int = 20) -> tuple[Floats, NDArray[np.int64]]:
    """Embeddings around a point for each label."""
    rng = np.random.default_rng(0)
    labels = np.repeat(of, each)
    return (5 * np.eye(WIDTH)[labels] + rng.normal(0, 1, (len(labels), WIDTH))).astype(np.float32), labels


def trained(present: list[int], label_count: int) -> tuple[Head, NDArray[np.int64], Floats]:
    """Return a head fitted to the labels present, its predictions for a cloud of each label, and their logits."""
    embeddings, labels = clouds(present)
    head = fit_head(embeddings, labels, np.ones(len(labels), np.float32), label_count)
    logits = np.asarray(clouds(list(range(label_count)))[0] @ head.weights + head.biases)
    return head, logits.argmax(axis=1), logits


@pytest.mark.parametrize("label_count", [2, 3, 5])
def test_head_separates_its_labels(label_count: int) -> None:
    _, predictions, _ = trained(list(range(label_count)), label_count)
    assert (predictions == clouds(list(range(label_count)))[1]).mean() > 0.95


@pytest.mark.parametrize("present", [[0, 2], [1, 2], [0, 1, 3], [2]])
def test_label_without_samples_is_never_predicted(present: list[int]) -> None:
    head, predictions, logits = trained(present, 4)
    labels = clouds([0, 1, 2, 3])[1]
    among = np.isin(labels, present)
    assert head.weights.shape == (WIDTH, 4)
    assert set(predictions) <= set(present)
    assert (predictions[among] == labels[among]).mean() > 0.95
    assert np.isfinite(logits).all()


def test_fit_is_deterministic() -> None:
    first, second = (trained([0, 1, 2], 3)[0] for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.biases.tobytes() == second.biases.tobytes()


def test_weight_of_two_equals_a_repeated_sample() -> None:
    embeddings, labels = clouds([0, 1])
    twice = np.concatenate([embeddings, embeddings[:20]]), np.concatenate([labels, labels[:20]])
    weighted = fit_head(embeddings, labels, np.where(labels == 0, 2, 1).astype(np.float32), 2)
    repeated = fit_head(*twice, np.ones(len(twice[1]), np.float32), 2)
    new = clouds([0, 1], each=50)[0]
    odds = [np.diff(new @ head.weights + head.biases, axis=1) for head in (weighted, repeated)]
    assert np.corrcoef(odds[0].ravel(), odds[1].ravel())[0, 1] > 0.999


def test_last_stepwise_head_equals_the_fitted_one() -> None:
    embeddings, labels = clouds([0, 1, 2])
    once = np.ones(len(labels), np.float32)
    heads = list(fit_head_stepwise(embeddings, labels, once, 3))

    steps = [steps_taken for steps_taken, _ in heads]
    assert steps[:3] == [1, 2, 3]
    assert steps == sorted(set(steps))
    assert heads[-1][1].weights.tobytes() == fit_head(embeddings, labels, once, 3).weights.tobytes()
