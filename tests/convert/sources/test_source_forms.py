"""Every form in which people have their classifiers is brought to the same answers."""

# ruff: noqa: E402  # what needs TensorFlow is imported only where it is installed

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

tf = pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from google.protobuf import text_format

from dogid.errors import DogidError, UsageError
from dogid_convert.graph.network import Hints
from dogid_convert.sources.float_model import open_source
from tests.convert.small_graphs import (
    MEAN,
    SIDE,
    STD,
    Pixels,
    answers,
    body,
    build_graph,
    image,
    probabilities,
    random_pixels,
    reason,
    retrained,
    saved,
)

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return random_pixels()


@pytest.fixture(scope="module")
def expected(pixels: Pixels) -> NDArray[np.float32]:
    """The probabilities of the network itself for pixels that are normalised by default."""
    return probabilities(pixels, MEAN, STD)


def test_graph_in_text_form(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    path = tmp_path / "graph.pbtxt"
    path.write_text(text_format.MessageToString(retrained()))
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-5)


def test_graph_with_a_fixed_batch_of_one(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        logits = body(v1.placeholder(tf.float32, [1, SIDE, SIDE, 3], name="input"))
        tf.nn.softmax(tf.reshape(logits, [1, 3]), name="final_result")

    np.testing.assert_allclose(answers(open_source(saved(tmp_path, build), Hints()), pixels), expected, atol=1e-5)


def test_logits_get_a_softmax(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    source = open_source(saved(tmp_path, lambda: body(image())), Hints())
    np.testing.assert_allclose(answers(source, pixels), expected, atol=1e-5)
    assert "a softmax is added" in reason(source, "output")


def test_output_before_argmax_is_found(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    source = open_source(saved(tmp_path, lambda: tf.argmax(tf.nn.softmax(body(image())), 1)), Hints())
    np.testing.assert_allclose(answers(source, pixels), expected, atol=1e-5)


def test_bottleneck_placeholder_becomes_its_default(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        def with_default(x: Any) -> Any:
            return v1.placeholder_with_default(x, [None, 16], name="BottleneckInputPlaceholder")

        tf.nn.softmax(body(image(), dropout=with_default), name="final_result")

    np.testing.assert_allclose(answers(open_source(saved(tmp_path, build), Hints()), pixels), expected, atol=1e-5)


def test_fake_quantization_of_training_is_taken_out(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        logits = body(image(), dropout=lambda x: tf.quantization.fake_quant_with_min_max_vars(x, 0.0, 6.0))
        tf.nn.softmax(logits, name="final_result")

    np.testing.assert_allclose(answers(open_source(saved(tmp_path, build), Hints()), pixels), expected, atol=1e-5)


@pytest.mark.parametrize("how", ["old", "new", "placeholder"])
def test_dropout_left_in_is_taken_out(how: str, tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def old(x: Any) -> Any:
        keep = 0.4 if how == "old" else v1.placeholder(tf.float32, [], name="keep_prob")
        mask = tf.floor(keep + tf.random.uniform(tf.shape(x)))
        return x / keep * mask

    def build() -> None:
        dropout = (lambda x: tf.nn.dropout(x, 0.6)) if how == "new" else old
        tf.nn.softmax(body(image(), dropout=dropout), name="final_result")

    np.testing.assert_allclose(answers(open_source(saved(tmp_path, build), Hints()), pixels), expected, atol=1e-5)


def test_training_switch_is_set_to_inference(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        v1.disable_control_flow_v2()
        training = v1.placeholder(tf.bool, [], name="is_training")
        logits = body(image(), dropout=lambda x: v1.cond(training, lambda: x * 5, lambda: x + 0))
        tf.nn.softmax(logits, name="final_result")

    try:
        path = saved(tmp_path, build)
    finally:
        v1.enable_control_flow_v2()
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-5)


def test_training_leftovers_are_no_outputs(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        logits = body(image())
        tf.nn.softmax(logits, name="final_result")
        truth = v1.placeholder(tf.int64, [None], name="GroundTruthInput")
        v1.losses.sparse_softmax_cross_entropy(truth, logits)
        v1.summary.scalar("mean", tf.reduce_mean(logits))

    np.testing.assert_allclose(answers(open_source(saved(tmp_path, build), Hints()), pixels), expected, atol=1e-5)


@pytest.mark.parametrize("content", ["placeholder", "constant"])
def test_jpeg_decoder_is_cut_off(content: str, tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        with tf.name_scope("DecodeJpeg"):
            data = v1.placeholder(tf.string, [], name="contents") if content == "placeholder" else tf.constant(b"x")
        decoded = tf.image.decode_jpeg(data, channels=3, name="DecodeJpeg")
        batch = tf.expand_dims(tf.cast(decoded, tf.float32), 0)
        resized = v1.image.resize_bilinear(batch, [SIDE, SIDE])
        tf.nn.softmax(body(tf.multiply(resized - MEAN, 1 / STD, name="Mul")), name="final_result")

    path = saved(tmp_path, build)
    for wanted in (None, "Mul:0", "Mul"):
        source = open_source(path, Hints(input=wanted))
        assert source.size == (SIDE, SIDE)
        assert (source.normalisation.mean, source.normalisation.std) == (MEAN, STD)
        np.testing.assert_allclose(answers(source, pixels), expected, atol=1e-5)


def test_batch_normalization_of_2015_is_folded(tmp_path: Path, pixels: Pixels) -> None:
    rng = np.random.default_rng(6)
    kernel, head = (rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((3, 3, 3, 8), (8, 3)))
    mean, variance, beta, gamma = (rng.uniform(0.5, 1, 8).astype(np.float32) for _ in range(4))

    def finish(x: Any) -> Any:
        return tf.nn.softmax(tf.matmul(tf.reduce_mean(tf.nn.relu(x), [1, 2]), head), name="softmax")

    def build() -> None:
        tf.nn.conv2d(image("Mul"), kernel, 2, "VALID", name="conv")
        for name, value in (("mean", mean), ("variance", variance), ("beta", beta), ("gamma", gamma)):
            tf.constant(value, name=name)
        finish(tf.identity(tf.zeros([1, 15, 15, 8]), name="norm"))

    graph = build_graph(build)
    node = next(node for node in graph.node if node.name == "norm")
    node.op = "BatchNormWithGlobalNormalization"
    node.input[:] = ["conv", "mean", "variance", "beta", "gamma"]
    node.attr["variance_epsilon"].f = 0.001
    node.attr["scale_after_normalization"].b = True
    graph.versions.producer = 8
    path = tmp_path / "classify_image_graph_def.pb"
    path.write_bytes(graph.SerializeToString())

    x = tf.nn.conv2d(tf.constant((pixels.astype(np.float32) - MEAN) / STD), kernel, 2, "VALID")
    expected = finish(tf.nn.batch_normalization(x, mean, variance, beta, gamma, 0.001)).numpy()
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-5)


def test_undefined_size_is_found_by_pooling_window(tmp_path: Path) -> None:
    def build() -> None:
        x = tf.nn.conv2d(v1.placeholder(tf.float32, None, name="input"), tf.ones([3, 3, 3, 4]), 32, "SAME")
        pooled = tf.reshape(tf.nn.avg_pool2d(x, 4, 2, "VALID"), [-1, 4])
        tf.nn.softmax(tf.matmul(pooled, tf.ones([4, 3])), name="final_result")

    assert open_source(saved(tmp_path, build), Hints()).size == (128, 128)


def test_unknown_size_asks_for_flag(tmp_path: Path) -> None:
    def build() -> None:
        x = tf.nn.conv2d(v1.placeholder(tf.float32, None, name="input"), tf.ones([3, 3, 3, 4]), 2, "SAME")
        tf.nn.softmax(tf.matmul(tf.reduce_mean(x, [1, 2]), tf.ones([4, 3])), name="final_result")

    path = saved(tmp_path, build)
    with pytest.raises(UsageError, match="--size"):
        open_source(path, Hints())
    assert open_source(path, Hints(side=64)).size == (64, 64)


def test_layers_inside_functions_are_found(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    first = tf.function(lambda x: (x * 2.0, x * 1.0), autograph=False)
    # the second result: named by its place
    layers = tf.function(lambda x: tf.nn.softmax(body(first(x)[1])), autograph=False)
    whole = tf.function(lambda x: layers(x), autograph=False)
    spec = tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="input")
    graph = whole.get_concrete_function(spec).graph.as_graph_def()
    assert all(node.op != "Conv2D" for node in graph.node)
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-5)


def test_functions_of_tensorflow_1_are_inlined(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    from tensorflow.python.framework import function

    def build() -> None:
        layers = function.Defun(tf.float32, func_name="layers")(lambda x: tf.nn.softmax(body(x)))
        layers(image()).set_shape([None, 3])

    graph = build_graph(build)
    assert "layers" in {node.op for node in graph.node}
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-5)


def test_placeholder_with_image_default_is_the_input(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    def build() -> None:
        shape = [None, SIDE, SIDE, 3]
        tf.nn.softmax(body(v1.placeholder_with_default(tf.zeros([1, SIDE, SIDE, 3]), shape, name="Placeholder")))

    np.testing.assert_allclose(answers(open_source(saved(tmp_path, build), Hints()), pixels), expected, atol=1e-5)


def test_inference_branch_of_a_condition_is_taken(tmp_path: Path, pixels: Pixels, expected: Any) -> None:
    training = tf.function(lambda x: x * 0.0, autograph=False)
    use = tf.function(lambda x: x * 1.0, autograph=False)

    def build() -> None:
        is_training = v1.placeholder_with_default(False, [], name="is_training")
        x = image()
        tf.nn.softmax(body(tf.cond(is_training, lambda: training(x), lambda: use(x))))

    with v1.Graph().as_default():
        v1.enable_control_flow_v2()
        try:
            graph = build_graph(build)
        finally:
            v1.disable_control_flow_v2()
    assert {"If", "StatelessIf"} & {node.op for node in graph.node}
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-5)


def test_graph_with_a_loop_is_refused(tmp_path: Path) -> None:
    graph = retrained()
    nodes = {node.name: node for node in graph.node}
    nodes["Relu6"].input[0] = "Relu6_1"
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(DogidError, match="in a loop"):
        open_source(tmp_path / "graph.pb", Hints())


@pytest.mark.parametrize("logit", [False, True])
def test_one_value_becomes_two_probabilities(logit: bool, tmp_path: Path, pixels: Pixels) -> None:
    def build() -> None:
        value = body(image())[:, :1]
        if not logit:
            tf.sigmoid(value)

    source = open_source(saved(tmp_path, build), Hints())
    scores = answers(source, pixels)
    raw = body(tf.constant(((pixels.astype(float) - MEAN) / STD).astype(np.float32)))[:, :1]
    second = tf.sigmoid(raw).numpy()
    np.testing.assert_allclose(scores, np.concatenate([1 - second, second], axis=1), atol=1e-5)
    assert source.classes == 2
