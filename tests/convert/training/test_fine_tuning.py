"""Fine-tuning changes what it says: gradients against finite differences, weights that lower the loss."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()
import tensorflow as tf  # noqa: E402

from dogid.model.head import Head  # noqa: E402
from dogid_convert.graph import surgery  # noqa: E402
from dogid_convert.training import base_network  # noqa: E402
from dogid_convert.training.backbone import Backbone, make_runner  # noqa: E402
from dogid_convert.training.fine_tuning import FineTunedLayers, Samples, Schedule  # noqa: E402
from dogid_convert.training.head import Floats  # noqa: E402
from tests.convert.inception_graphs import slim_graph  # noqa: E402
from tests.convert.training_material import small_backbone, small_graph  # noqa: E402

PHOTOS, LABELS = 12, 3


def inception(folder: Path) -> Path:
    path = folder / "inception.pb"
    path.write_bytes(slim_graph().SerializeToString())
    return path


def make_layers(backbone: Backbone, schedule: Schedule) -> tuple[FineTunedLayers, Samples]:
    """Return the layers behind the last four convolutions, and random photos with random labels for them."""
    path = surgery.find_main_path(backbone.graph, "input", backbone.embedding)
    cut = surgery.find_cut(backbone.graph, path, 4)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-1, 1, (PHOTOS, backbone.size[1], backbone.size[0], 3)).astype(np.float32)
    values = make_runner(backbone, cut)(pixels).astype(np.float16)[:, None]
    sample_weight = rng.uniform(0.5, 2, PHOTOS).astype(np.float32)
    samples = Samples(values, rng.integers(0, LABELS, PHOTOS), sample_weight, np.arange(PHOTOS))
    return FineTunedLayers(backbone, cut, LABELS, schedule), samples


def random_head(width: int, embeddings: Floats) -> Head:
    """Return a head whose logits are of the order of 1."""
    weights = np.random.default_rng(1).normal(0, 1, (width, LABELS)) / np.sqrt(width) / embeddings.std()
    return Head(weights.T.astype(np.float32), np.zeros(LABELS, np.float32))


@pytest.mark.parametrize("base", ["mobilenet", "inception"])
def test_gradients_equal_finite_differences(base: str, tmp_path: Path) -> None:
    backbone = base_network.load(str(small_graph() if base == "mobilenet" else inception(tmp_path)))
    layers, samples = make_layers(backbone, Schedule(l2_sp=0.1))
    layers.reset(random_head(backbone.width, layers.embeddings(samples.values[:, 0])))
    targets: NDArray[np.float32] = np.eye(LABELS, dtype=np.float32)[samples.labels]
    batch = [tf.constant(array) for array in (samples.values[:, 0], targets, samples.sample_weight)]
    evaluate = tf.function(layers._compute_gradients)
    gradients = evaluate(*batch, tf.constant([0, 1]))[1]

    assert len(gradients) == len(layers._trained) >= 4 + 2
    for variable, gradient in zip(layers._trained, gradients, strict=True):
        norm = float(tf.norm(gradient))
        assert norm > 1e-3, variable.name
        step = 0.001 / norm  # changes the loss by 0.001: far above rounding, near enough to linear
        losses = []
        for sign in (1, -1):
            start = variable.numpy()
            variable.assign(start + sign * step * gradient / norm)
            losses.append(float(evaluate(*batch, tf.constant([0, 1]))[0]))
            variable.assign(start)
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(norm, rel=0.03)


def test_training_lowers_the_loss_beyond_the_heads() -> None:
    backbone = small_backbone()
    layers, samples = make_layers(backbone, Schedule(epochs=40, learning_rate=1e-3, batch_size=PHOTOS, ema_decay=0.5))
    before = layers.embeddings(samples.values[:, 0])
    layers.train(samples, random_head(backbone.width, before), seed=0)

    after = layers.embeddings(samples.values[:, 0])
    start, head = random_head(backbone.width, before), layers.averaged_weights()[1]
    nll = [
        -np.log(np.asarray(tf.nn.softmax(embeddings @ weights + biases))[np.arange(PHOTOS), samples.labels]).mean()
        for embeddings, weights, biases in (
            (before, start.weights.T, start.bias),
            (before, head.weights.T, head.bias),
            (after, head.weights.T, head.bias),
        )
    ]
    assert nll[2] < 0.5 * nll[1]  # by the convolutions
    assert nll[2] < 0.2 * nll[0]
