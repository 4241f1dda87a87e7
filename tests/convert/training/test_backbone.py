from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError
from dogid_convert.support.quiet_tensorflow import load_tensorflow
from tests.convert.training_material import (
    SIDE,
    blind_graph,
    small_backbone,
    small_graph,
    small_keras_file,
    small_saved_model,
)
from tests.support.collection import GRAPHS, needs

load_tensorflow()

import tensorflow as tf  # noqa: E402
from google.protobuf import text_format  # noqa: E402

from dogid.model.head import Head  # noqa: E402
from dogid_convert.graph import surgery  # noqa: E402
from dogid_convert.training import base_names, base_network  # noqa: E402
from dogid_convert.training.backbone import attach_head, make_runner  # noqa: E402
from dogid_convert.training.head import make_zero_head  # noqa: E402

PIXELS = np.random.default_rng(0).uniform(-1, 1, (2, SIDE, SIDE, 3)).astype(np.float32)


def values_of(
    graph: tf.compat.v1.GraphDef, entry: str, tensor: str, pixels: NDArray[np.float32]
) -> NDArray[np.float32]:
    function = tf.compat.v1.wrap_function(
        lambda x: tf.import_graph_def(graph, {f"{entry}:0": x}, [f"{tensor}:0"], name=""),
        [tf.TensorSpec(pixels.shape, tf.float32)],
    )
    return np.asarray(function(tf.constant(pixels))[0])


def test_classifier_is_cut_off_a_frozen_graph() -> None:
    backbone = small_backbone()

    assert backbone.width == 256
    assert backbone.size == (SIDE, SIDE)
    assert not any(node.op in ("MatMul", "Softmax") for node in backbone.graph.node)


def test_simplified_graph_computes_the_same() -> None:
    original = tf.compat.v1.GraphDef.FromString(small_graph().read_bytes())
    backbone = small_backbone()

    expected = values_of(original, "input", backbone.embedding, PIXELS)
    found = make_runner(backbone, backbone.embedding)(PIXELS)

    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert len(backbone.graph.node) < len(original.node) / 2


def test_batch_normalization_is_folded_away() -> None:
    operations = {node.op for node in small_backbone().graph.node}

    assert not operations & {"Mul", "FusedBatchNormV3", "Rsqrt", "Identity"}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_keras_file_gives_same_backbone_as_its_graph(suffix: str) -> None:
    graph, keras = small_backbone(), base_network.load(str(small_keras_file(suffix)))

    first, second = (make_runner(base, base.embedding)(PIXELS) for base in (graph, keras))

    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_text_graph_is_a_base(tmp_path: Path) -> None:
    path = tmp_path / "graph.pbtxt"
    path.write_text(text_format.MessageToString(tf.compat.v1.GraphDef.FromString(small_graph().read_bytes())))

    first, second = (base_network.load(str(base)) for base in (small_graph(), path))

    assert first.graph == second.graph


def test_saved_model_is_a_base() -> None:
    graph, saved = small_backbone(), base_network.load(str(small_saved_model()))

    first, second = (make_runner(base, base.embedding)(PIXELS) for base in (graph, saved))

    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_h5_file_of_keras_2_is_a_base(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras", reason="legacy files need tf-keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.InputLayer(input_shape=[SIDE, SIDE, 3]),
            layers.DepthwiseConv2D(3),  # written with `groups`, which Keras 3 refuses
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.save(tmp_path / "model.h5", save_format="h5")

    backbone = base_network.load(str(tmp_path / "model.h5"))

    assert (backbone.width, backbone.size) == (3, (SIDE, SIDE))
    found = make_runner(backbone, backbone.embedding)(PIXELS)
    expected = tf_keras.Model(model.input, model.layers[-2].output)(PIXELS)
    np.testing.assert_allclose(found.reshape(2, 3), expected, rtol=1e-4, atol=1e-5)


def test_tflite_file_is_no_base(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(UsageError, match="give the graph it was made from"):
        base_network.load(str(path))


def test_retrained_graph_is_a_base_again() -> None:
    backbone = small_backbone()
    head = Head(np.ones((3, backbone.width), np.float32), np.zeros(3, np.float32))
    retrained = attach_head(backbone, head)
    path = small_graph().parent / "again.pb"
    path.write_bytes(retrained.SerializeToString())

    again = base_network.load(str(path))

    assert [node.name for node in again.graph.node] == [node.name for node in backbone.graph.node]


def test_head_has_the_node_names_of_retrain() -> None:
    backbone = small_backbone()
    head = Head(np.zeros((3, backbone.width), np.float32), np.arange(3, dtype=np.float32))
    graph = attach_head(backbone, head)

    assert graph.node[-1].name == "final_result"
    assert "final_training_ops/Wx_plus_b/MatMul" in surgery.index_nodes(graph)
    odds = np.exp([0.0, 1.0, 2.0])
    np.testing.assert_allclose(values_of(graph, "input", "final_result", PIXELS), [odds / odds.sum()] * 2, rtol=1e-5)


def test_globally_pooling_base_takes_another_size() -> None:
    backbone = base_network.load(str(small_graph()), 128)

    assert backbone.size == (128, 128)
    pixels = np.zeros((1, 128, 128, 3), np.float32)
    assert make_runner(backbone, backbone.embedding)(pixels).shape == (1, backbone.width)


def test_cut_leaves_the_given_number_of_convolutions() -> None:
    backbone = small_backbone()
    path = surgery.find_main_path(backbone.graph, "input", backbone.embedding)
    nodes = surgery.index_nodes(backbone.graph)

    for count in (1, 2, 5, 27):
        cut = surgery.find_cut(backbone.graph, path, count)
        behind = surgery.list_downstream(backbone.graph, cut, backbone.embedding)
        assert sum(nodes[name].op in surgery.CONVOLUTIONS for name in behind) == count


def test_too_many_convolutions_is_a_usage_error() -> None:
    backbone = small_backbone()
    path = surgery.find_main_path(backbone.graph, "input", backbone.embedding)

    with pytest.raises(UsageError, match="fewer than 28"):
        surgery.find_cut(backbone.graph, path, 28)


def test_keras_name_without_weights() -> None:
    backbone = base_network.load("keras:mobilenet_v2", SIDE, keras_weights=None)

    assert backbone.width == 1280
    assert backbone.size == (SIDE, SIDE)


def test_unknown_keras_name_error_lists_known_names() -> None:
    with pytest.raises(UsageError, match="keras:mobilenet_v1, keras:mobilenet_v2, keras:inception_v3"):
        base_network.load("keras:resnet")


def test_failed_download_error_names_base_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_internet(**_: object) -> None:
        raise OSError("URL fetch failure")

    monkeypatch.setattr(tf.keras.applications, "MobileNetV2", no_internet)
    with pytest.raises(DogidError, match="Without internet give a file with --base"):
        base_network.load("keras:mobilenet_v2")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"not a graph"])
def test_file_without_graph_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"graph\.pb"):
        base_network.load(str(path))


def test_broken_keras_file_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n nothing more")
    with pytest.raises(UsageError, match="cannot be loaded as a Keras model"):
        base_network.load(str(path))


def test_missing_base_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot read the graph"):
        base_network.load("/nowhere/graph.pb")


def test_environment_names_the_default_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOGID_BASE", str(small_graph()))

    assert base_names.find_bases(None) == (str(small_graph()),)


def test_own_bases_have_names() -> None:
    imagenet, shipped = base_names.find_bases(base_names.AUTO)

    assert imagenet.endswith("models/imagenet_base.pb")
    assert base_names.find_bases(base_names.IMAGENET) == (imagenet,)
    assert base_names.find_bases(base_names.SHIPPED) == (shipped,)
    assert base_names.find_bases("keras:mobilenet_v2") == ("keras:mobilenet_v2",)


def test_bases_with_the_same_weights_are_compared_once(tmp_path: Path) -> None:
    first = small_backbone()
    again = tmp_path / "again.pb"
    again.write_bytes(attach_head(first, make_zero_head(first.width, 2)).SerializeToString())
    blind = base_network.load(str(blind_graph(tmp_path / "blind.pb")))

    kept = base_network.drop_repeats([first, blind, base_network.load(str(again), 128)])

    assert kept == [first, blind]


def test_general_base_turns_photos_into_embeddings() -> None:
    backbone = base_network.load(base_names.find_bases(base_names.IMAGENET)[0])

    assert (backbone.embedding, backbone.size, backbone.width) == ("embedding", (224, 224), 1280)


def test_error_without_any_base_lists_the_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOGID_BASE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(base_names, "__file__", str(tmp_path / "a" / "b" / "c.py"))

    with pytest.raises(UsageError, match="--base") as error:
        base_names.find_bases(None)

    assert str(tmp_path / "dogid" / "imagenet_base.pb") in str(error.value)


@needs(GRAPHS)
def test_foreign_retrained_graph_is_a_base() -> None:
    backbone = base_network.load(str(GRAPHS / "retrained_graph.pb"))

    assert backbone.embedding == "MobilenetV1/Logits/AvgPool_1a/AvgPool"
    assert (backbone.size, backbone.width) == ((128, 128), 256)


def test_base_with_other_normalisation_is_rejected() -> None:
    image = tf.keras.Input((SIDE, SIDE, 3))
    scaled = tf.keras.layers.Rescaling(1 / 255)(image)
    pooled = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Conv2D(4, 3)(scaled))
    path = small_graph().parent / "scaled.keras"
    tf.keras.Model(image, tf.keras.layers.Dense(2, activation="softmax")(pooled)).save(path)

    with pytest.raises(UsageError, match=r"wants \(pixel - 0\) / 255"):
        base_network.load(str(path))
