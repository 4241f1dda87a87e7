"""Inception v3 as a base, in the forms that people have it. The networks are small and untrained, see there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dogid_convert.support.quiet_tensorflow import load_tensorflow
from tests.convert.training_material import make_folder, pattern_photo

load_tensorflow()

import tensorflow as tf  # noqa: E402

from dogid.cli import main  # noqa: E402
from dogid_convert.graph import surgery  # noqa: E402
from dogid_convert.training import base_network  # noqa: E402
from dogid_convert.training.backbone import make_runner  # noqa: E402
from tests.convert.inception_graphs import (  # noqa: E402
    SIDE,
    WIDTH,
    codelab_graph,
    codelab_graph_cut_at_mul,
    hub_graph,
    slim_graph,
)

FORMS: dict[str, Callable[[], Any]] = {
    "codelab": codelab_graph,
    "cut at Mul": codelab_graph_cut_at_mul,
    "slim": slim_graph,
    "slim without a shape": lambda: slim_graph(shaped=False),
    "hub": hub_graph,
}
EMBEDDINGS = {
    "codelab": "pool_3",
    "cut at Mul": "pool_3",
    "slim": "InceptionV3/Logits/AvgPool_1a_8x8/AvgPool",
    "slim without a shape": "InceptionV3/Logits/AvgPool_1a_8x8/AvgPool",
    "hub": "module_apply_default/InceptionV3/Logits/GlobalPool",
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(form: str, tmp_path: Path) -> Path:
    path = tmp_path / "inception.pb"
    path.write_bytes(FORMS[form]().SerializeToString())
    return path


def test_input_size_and_embedding_are_found(form: str, base: Path) -> None:
    backbone = base_network.load(str(base))

    assert (backbone.size, backbone.width) == ((SIDE, SIDE), WIDTH)
    assert backbone.embedding == EMBEDDINGS[form]
    operators = {node.op for node in backbone.graph.node}
    assert not operators & {
        "DecodeJpeg",
        "CheckNumerics",
        "BatchNormWithGlobalNormalization",
        "FusedBatchNormV3",
        "MatMul",
    }


@pytest.mark.parametrize(
    ("given", "original", "entrance", "form"),
    [(slim_graph, slim_graph, "input", "slim"), (codelab_graph, lambda: codelab_graph(old=False), "Mul", "codelab")],
)
def test_embedding_equals_the_original_graphs(
    given: Callable[[], Any], original: Callable[[], Any], entrance: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / "inception.pb"
    path.write_bytes(given().SerializeToString())
    backbone = base_network.load(str(path))
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    function = tf.compat.v1.wrap_function(
        lambda x: tf.import_graph_def(original(), {f"{entrance}:0": x}, [f"{EMBEDDINGS[form]}:0"], name=""),
        [tf.TensorSpec(pixels.shape, tf.float32)],
    )
    expected = np.asarray(function(tf.constant(pixels))[0])

    found = make_runner(backbone, backbone.embedding)(pixels)

    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_retrained_graph_predicts_the_labels(base: Path, form: str, tmp_path: Path) -> None:
    flags = ["--fine-tune", "3", "--epochs", "1"] if form in ("codelab", "hub") else []
    photos = make_folder(tmp_path / "photos", photos=12)
    out, cache = tmp_path / "out", str(tmp_path / "cache")
    assert main(["retrain", str(photos), "-o", str(out), "--base", str(base), "--cache", cache, *flags]) == 0

    graph = tf.compat.v1.GraphDef.FromString((out / "retrained_graph.pb").read_bytes())
    function = tf.compat.v1.wrap_function(
        lambda x: tf.import_graph_def(graph, {"input:0": x}, ["final_result:0"], name=""),
        [tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)],
    )
    from dogid.photo.decode import decode

    unseen = [decode(pattern_photo(label, 900), (SIDE, SIDE)).pixels for label in ("blue", "red")]
    scores = np.asarray(function(tf.constant((np.stack(unseen).astype(np.float32) - 128) / 128))[0])
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_cut_between_blocks_splits_no_branch(base: Path) -> None:
    backbone = base_network.load(str(base))
    path = surgery.find_main_path(backbone.graph, "input", backbone.embedding)
    nodes = surgery.index_nodes(backbone.graph)

    cut = surgery.find_cut(backbone.graph, path, 3)

    behind = surgery.list_downstream(backbone.graph, cut, backbone.embedding)
    # the two shrinking branches end where they are joined: a cut inside them would leave one out
    assert sum(nodes[name].op == "Conv2D" for name in behind) >= 3
    assert set(path[path.index(cut) + 1 :]) <= set(behind)


@pytest.mark.timeout(300)  # the whole network is built; 20 s of CPU
def test_keras_inception_by_name() -> None:
    backbone = base_network.load("keras:inception_v3", 96, keras_weights=None)

    assert backbone.width == 2048
    assert not any(node.op.startswith("FusedBatchNorm") for node in backbone.graph.node)
