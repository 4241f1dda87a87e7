"""The range of pixels that a float model expects is read from its first operators, where they show it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dogid.model.graph_front import derive_normalisation
from dogid.preprocessing import BGR, CAFFE, MINUS_1_TO_1, ZERO_TO_1, ZERO_TO_255, Normalisation, Origin
from tests.model.foreign_models import means, model_of

tf = pytest.importorskip("tensorflow", reason="the models are made by TensorFlow")

MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def first_layer(image: Any, gain: float = 1.0) -> Any:
    """A convolution with weights as large as initial ones are, and a head behind it."""
    weights = np.random.default_rng(0).normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32) * gain
    features = tf.nn.relu(tf.nn.conv2d(image, weights, 2, "SAME"))
    return tf.nn.softmax(tf.reduce_mean(features, (1, 2)))


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        (lambda x: tf.image.resize(x, (16, 16)) * (1 / 127.5) - 1, ZERO_TO_255),
        (lambda x: tf.transpose(x, (0, 2, 1, 3)) / 255 - MEAN, ZERO_TO_255),
        (lambda x: x * (1 / 255 / STD) - MEAN / STD, ZERO_TO_255),
        (lambda x: x[..., ::-1] - np.array([103.9, 116.8, 123.7], np.float32), ZERO_TO_255),
        (lambda x: (x - MEAN) / STD, ZERO_TO_1),
        (lambda x: x * 2 - 1, ZERO_TO_1),
        (lambda x: (x + 1) * 127.5 - np.array([103.9, 116.8, 123.7], np.float32), MINUS_1_TO_1),
        (lambda x: tf.pad(x * 255, ((0, 0), (1, 1), (1, 1), (0, 0))), ZERO_TO_1),
    ],
    ids=["resize", "transpose", "by channel", "reversed", "imagenet", "doubled", "from -1..1", "padded"],
)
def test_scaling_in_the_graph_shows_the_range(front: Callable[[Any], Any], expected: Normalisation) -> None:
    known = derive_normalisation(model_of(lambda image: tf.nn.softmax(means(front(image)))))

    assert known is not None
    assert (known.normalisation, known.origin) == (expected, Origin.DERIVED)


def test_mean_colour_in_the_order_of_caffe_means_bgr() -> None:
    means_of_bgr = np.array(CAFFE.mean[::-1], np.float32)
    plain = derive_normalisation(model_of(lambda x: tf.nn.softmax(means(x - means_of_bgr))))
    turned = derive_normalisation(model_of(lambda x: tf.nn.softmax(means(x[..., ::-1] - means_of_bgr))))

    assert plain is not None
    assert turned is not None
    assert (plain.channels, turned.channels) == (BGR, None)


@pytest.mark.parametrize("factor", [1 / 255, 1 / 127.5])
def test_factor_in_the_first_weights_means_pixels(factor: float) -> None:
    known = derive_normalisation(model_of(lambda image: first_layer(image, factor)))

    assert known is not None
    assert known.normalisation == ZERO_TO_255


def test_a_network_without_scaling_shows_nothing() -> None:
    assert derive_normalisation(model_of(first_layer)) is None
    assert derive_normalisation(model_of(lambda image: first_layer(image) + 0)) is None


def test_quantized_input_shows_nothing() -> None:
    assert derive_normalisation(model_of(lambda image: tf.nn.softmax(means(image)), quantized=True)) is None


def test_damaged_files_show_nothing() -> None:
    model = model_of(lambda image: first_layer(image / 255))
    random = np.random.default_rng(0)
    for _ in range(1000):
        changed = bytearray(model)
        for place in random.integers(8, len(model), 4):
            changed[place] = random.integers(256)
        derive_normalisation(bytes(changed))
    assert derive_normalisation(b"") is None
