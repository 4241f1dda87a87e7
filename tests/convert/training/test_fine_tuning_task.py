"""A task that no head can learn on the frozen network, since the network drops what the labels depend on."""

import numpy as np
from numpy.typing import NDArray

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()
import tensorflow as tf  # noqa: E402

from dogid_convert.training.backbone import Backbone  # noqa: E402
from dogid_convert.training.fine_tuning import FineTunedLayers, Samples, Schedule  # noqa: E402
from dogid_convert.training.head import Floats  # noqa: E402
from dogid_convert.training.head_choice import EmbeddedPhotos, choose_head  # noqa: E402

WIDTH = 8


def brightness_network() -> Backbone:
    """Return a network of one convolution, whose features are all of the brightness of a pixel, not of its colour."""
    factors = np.random.default_rng(0).uniform(0.5, 1.5, WIDTH)
    weights = np.tile(factors, (1, 1, 3, 1)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 1, 1, 3], name="input")
        x = tf.identity(pixels, name="cut")
        x = tf.nn.conv2d(x, tf.constant(weights, name="conv/weights"), 1, "SAME", name="conv")
        x = tf.nn.bias_add(x, tf.constant(np.zeros(WIDTH, np.float32), name="conv/biases"))
        tf.nn.avg_pool2d(tf.nn.relu(x), 1, 1, "VALID", name="pool")
    return Backbone(graph.as_graph_def(), "pool", (1, 1), WIDTH, "brightness", "00")


def coloured_pixels(photos: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return pixels [photos, 1, 1, 3], and whether each is more blue than red."""
    pixels = np.random.default_rng(seed).uniform(0, 1, (photos, 1, 1, 3))
    return pixels.astype(np.float16), (pixels[:, 0, 0, 2] > pixels[:, 0, 0, 0]).astype(np.int64)


def test_fine_tuning_learns_what_no_head_can() -> None:
    values, labels = coloured_pixels(256, seed=1)
    new_values, new_labels = coloured_pixels(500, seed=2)
    schedule = Schedule(epochs=30, learning_rate=0.05, l2_sp=0.0, dropout=0.0)
    layers = FineTunedLayers(brightness_network(), "cut", 2, schedule)
    weights: Floats = np.ones(len(labels), np.float32)
    groups = np.arange(len(labels))

    photos = EmbeddedPhotos(layers.embeddings(values)[:, None], labels, weights, 2)
    head = choose_head(photos, groups % 5).calibrated
    alone = (head.logits(layers.embeddings(new_values)).argmax(axis=1) == new_labels).mean()
    layers.train(Samples(values[:, None], labels, weights, groups), head, seed=0)
    tuned = (layers.logits(new_values).argmax(axis=1) == new_labels).mean()

    assert alone < 0.6
    assert tuned > 0.9
