"""The embedding comes out of a model beside its scores, which stay the same; the last layer is read in float."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dogid.model.classifier import load_model
from dogid.model.flatbuffer import root
from dogid.model.head import read_head
from dogid.model.last_layer import NoLastLayerError, find_last_layer
from dogid.model.network import read_network
from dogid.model.shipped import shipped_model
from tests.model.foreign_models import means, model_of, noise, packed, sigmoid_of_red
from tests.support.collection import MODELS, SMALL_MODELS, needs

OTHERS = sorted(MODELS.glob("*.tflite"))


def convolution(image: Any) -> Any:
    import tensorflow as tf

    filters = tf.constant(4 * np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3))
    sums = tf.nn.conv2d(tf.reduce_mean(image, (1, 2), keepdims=True), filters, 1, "SAME")
    return tf.nn.softmax(tf.reshape(sums, (1, 3)))


def convolution_before_the_mean(image: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image, tf.ones((1, 1, 3, 3)), 1, "SAME")), (1, 2))


@needs(MODELS)
@pytest.mark.parametrize("path", [shipped_model(), *OTHERS], ids=lambda path: path.stem)
def test_scores_are_identical_beside_the_embedding(path: Path) -> None:
    plain, both = load_model(path), load_model(path, embeddings=True)
    one, other = plain.classifier(), both.classifier()

    assert both.file.network is not None
    embeddings = set()
    for pixels in noise(plain.size):
        assert one.classify(pixels).tobytes() == other.classify(pixels).tobytes()
        embeddings.add(other.read_embedding())
    assert one.read_embedding() is None
    assert len(embeddings) == 5


def check_head(path: Path, tolerance: float) -> None:
    """Compare what the head makes of embeddings with the model's own scores."""
    model = load_model(path, embeddings=True)
    network, classifier, head = model.file.network, model.classifier(), read_head(model.file.data)

    assert network is not None
    for pixels in noise(model.size):
        scores = classifier.classify(pixels)
        raw = classifier.read_embedding()
        assert raw is not None
        assert np.abs(head.scores(network.read_embeddings([raw]))[0] - scores).max() <= tolerance
        assert network.write_embeddings(network.read_embeddings([raw])) == [raw]


@needs(MODELS)
@pytest.mark.parametrize("path", [shipped_model(), *OTHERS], ids=lambda path: path.stem)
def test_head_gives_the_scores_of_whole_models(path: Path) -> None:
    check_head(path, 1e-5 if path == shipped_model() else 0.02)  # others round sums to one of 256 numbers


@pytest.mark.parametrize("head", [sigmoid_of_red, convolution, means])
def test_head_is_read_of_every_kind_of_layer(head: Any, tmp_path: Path) -> None:
    labels = "other\nred\n" if head is sigmoid_of_red else "red\ngreen\nblue\n"

    check_head(packed(model_of(head), tmp_path / "model.tflite", labels_txt=labels), 1e-5)


def test_model_without_last_layer_runs_without_embeddings(float_model: bytes, tmp_path: Path) -> None:
    model = load_model(packed(float_model, tmp_path / "model.tflite", labels_txt="r\ng\nb\n"), embeddings=True)
    classifier = model.classifier()

    classifier.classify(np.zeros((32, 32, 3), np.uint8))
    assert (model.file.network, classifier.read_embedding()) == (None, None)
    with pytest.raises(NoLastLayerError, match="before the scores there is an operator MEAN"):
        read_network(float_model)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: model_of(convolution_before_the_mean), "operator MEAN"),
        (lambda: (SMALL_MODELS / "class_number_only.tflite").read_bytes(), "operator ARG_MAX"),
        (lambda: b"", "damaged"),
    ],
    ids=["map", "class number", "damaged"],
)
@needs(SMALL_MODELS)
def test_missing_last_layer_is_explained(make: Any, reason: str) -> None:
    with pytest.raises(NoLastLayerError, match=reason):
        read_network(make())


def test_network_is_named_by_all_but_the_last_layer() -> None:
    whole = shipped_model().read_bytes()
    layer, name = find_last_layer(whole), read_network(whole).sha256

    def changed(tensor: int) -> bytes:
        """Change the last byte of a tensor's constant."""
        model = root(whole, b"TFL3")
        number = list(next(model.tables(2)).tables(0))[tensor].number(2, "I")
        start, count = list(model.tables(4))[number].vector(0, 1)
        copy = bytearray(whole)
        copy[start + count - 1] ^= 1
        return bytes(copy)

    assert read_network(changed(layer.weights)).sha256 == name
    assert read_network(changed(layer.weights + 1)).sha256 != name
    stretched = bytearray(whole)
    quantization = list(next(root(whole, b"TFL3").tables(2)).tables(0))[layer.embedding - 1].table(4)
    assert quantization is not None
    struct.pack_into("<f", stretched, quantization.vector(2, 4)[0], 0.5)
    assert read_network(bytes(stretched)).sha256 != name


def test_damaged_models_have_no_network_or_one() -> None:
    whole = shipped_model().read_bytes()
    random = np.random.default_rng(3)
    start = next(root(whole, b"TFL3").tables(2)).at
    for _ in range(100):
        damaged = bytearray(whole)
        at = start + int(random.integers(-40_000, 40_000)) if random.random() < 0.7 else int(random.integers(4, 4000))
        damaged[max(at, 4) : max(at, 4) + 8] = random.bytes(8)
        try:
            read_network(bytes(damaged))
        except NoLastLayerError:
            continue
