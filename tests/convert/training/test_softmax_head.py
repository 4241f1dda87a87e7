import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="training needs TensorFlow")

from dogid_convert.training.backbone import Floats, Head
from dogid_convert.training.softmax_head import fit, on_the_way

WIDTH = 6


def clouds(labels: list[int], each: int = 20) -> tuple[Floats, NDArray[np.int64]]:
    """Embeddings around a point for each label."""
    rng = np.random.default_rng(0)
    truth = np.repeat(labels, each)
    return (5 * np.eye(WIDTH)[truth] + rng.normal(0, 1, (len(truth), WIDTH))).astype(np.float32), truth


def trained(found: list[int], labels: int) -> tuple[Head, NDArray[np.int64], Floats]:
    """Return a head for that many labels, trained on those found; its answers to a cloud of each; and their logits."""
    embeddings, truth = clouds(found)
    head = fit(embeddings, truth, np.ones(len(truth), np.float32), labels)
    logits = np.asarray(clouds(list(range(labels)))[0] @ head.weights + head.biases)
    return head, logits.argmax(axis=1), logits


@pytest.mark.parametrize("labels", [2, 3, 5])
def test_each_label_is_told(labels: int) -> None:
    _, answers, _ = trained(list(range(labels)), labels)
    assert (answers == clouds(list(range(labels)))[1]).mean() > 0.95


@pytest.mark.parametrize("found", [[0, 2], [1, 2], [0, 1, 3], [2]])
def test_a_label_without_photos_is_never_the_answer_and_moves_no_other(found: list[int]) -> None:
    head, answers, logits = trained(found, 4)
    truth = clouds([0, 1, 2, 3])[1]
    among = np.isin(truth, found)
    assert head.weights.shape == (WIDTH, 4)
    assert set(answers) <= set(found)
    assert (answers[among] == truth[among]).mean() > 0.95
    assert np.isfinite(logits).all()


def test_the_same_embeddings_give_the_same_bytes() -> None:
    first, second = (trained([0, 1, 2], 3)[0] for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.biases.tobytes() == second.biases.tobytes()


def test_a_photo_that_counts_twice_is_a_photo_that_is_there_twice() -> None:
    embeddings, truth = clouds([0, 1])
    twice = np.concatenate([embeddings, embeddings[:20]]), np.concatenate([truth, truth[:20]])
    weighted = fit(embeddings, truth, np.where(truth == 0, 2, 1).astype(np.float32), 2)
    repeated = fit(*twice, np.ones(len(twice[1]), np.float32), 2)
    new = clouds([0, 1], each=50)[0]
    odds = [np.diff(new @ head.weights + head.biases, axis=1) for head in (weighted, repeated)]
    assert np.corrcoef(odds[0].ravel(), odds[1].ravel())[0, 1] > 0.999


def test_the_last_head_on_the_way_is_the_trained_one() -> None:
    embeddings, truth = clouds([0, 1, 2])
    once = np.ones(len(truth), np.float32)
    way = list(on_the_way(embeddings, truth, once, 3))

    steps = [taken for taken, _ in way]
    assert steps[:3] == [1, 2, 3]
    assert steps == sorted(set(steps))
    assert way[-1][1].weights.tobytes() == fit(embeddings, truth, once, 3).weights.tobytes()
