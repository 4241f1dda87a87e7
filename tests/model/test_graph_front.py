"""The range of pixels that a float model expects is read from its first operators, where they show it."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from dogid.model.graph_front import Affine, derive_normalisation, judge_scaling
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


@pytest.mark.parametrize(
    ("scale", "shift", "expected"),
    [
        (1, -100, ZERO_TO_255),
        (1, -0.5, ZERO_TO_1),
        (1, -3, None),
        (0, 1, None),
        (1 / 127.5, -1, ZERO_TO_255),
        (2, -1, ZERO_TO_1),
        (255, 0, ZERO_TO_1),
        (127.5, 127.5, MINUS_1_TO_1),
        (30, 0, None),
    ],
)
def test_scaling_stands_for_the_range_that_it_suits(scale: float, shift: float, expected: Normalisation | None) -> None:
    found = judge_scaling(Affine(np.array([scale]), np.array([shift])))

    assert (None if found is None else found[0]) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected", "channels"),
    [
        (0, 1, ZERO_TO_1, None),
        (-1, 1, MINUS_1_TO_1, None),
        (0, 255, ZERO_TO_255, None),
        (-123.68, 151.061, CAFFE, BGR),
        (-10, 20, Normalisation((85,), (8.5,)), None),
    ],
)
def test_quantization_of_the_input_shows_the_range(
    quantized_model: bytes, low: float, high: float, expected: Normalisation, channels: str | None
) -> None:
    scale = (high - low) / 255
    known = derive_normalisation(quantizing(quantized_model, scale, round(-128 - low / scale)))

    assert known is not None
    assert known.channels == channels
    assert known.normalisation.mean == pytest.approx(expected.mean, abs=0.5)
    assert known.normalisation.std == pytest.approx(expected.std, rel=0.01)
    assert "quantizes values" in known.reason


def test_damaged_quantization_of_the_input_shows_nothing(quantized_model: bytes) -> None:
    assert derive_normalisation(quantizing(quantized_model, 0, 0)) is None


@pytest.fixture(scope="module")
def quantized_model() -> bytes:
    """A network whose first operator quantizes its input."""
    return model_of(lambda image: tf.nn.softmax(means(tf.nn.relu(image))), quantized=True, float_input=True)


def quantizing(model: bytes, scale: float, zero_point: int) -> bytes:
    """Return a model whose first operator quantizes its input by another scale and zero point."""
    changed = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = changed.subgraphs[0]
    (first,) = graph.operators[0].outputs
    graph.tensors[first].quantization.scale = [scale]
    graph.tensors[first].quantization.zeroPoint = [zero_point]
    builder = flatbuffers.Builder(1024)
    builder.Finish(changed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


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
