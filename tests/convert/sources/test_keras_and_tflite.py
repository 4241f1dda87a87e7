"""Keras files, SavedModel folders and float `.tflite` models are brought to the same answers."""

# ruff: noqa: E402  # what needs TensorFlow is imported only where it is installed

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

tf = pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.cli import main
from dogid.errors import UsageError
from dogid.model.classifier import load_model
from dogid_convert.graph.network import Hints
from dogid_convert.sources.float_model import open_source
from tests.convert.small_graphs import (
    LABELS,
    MEAN,
    SIDE,
    STD,
    Pixels,
    answers,
    body,
    colour_photos,
    probabilities,
    random_pixels,
    reason,
    retrained,
)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return random_pixels()


def keras_model(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input([SIDE, SIDE, 3]),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(8, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


def keras_answers(model: Any, pixels: Pixels) -> NDArray[np.float32]:
    return np.asarray(model(pixels.astype(np.float32), training=False))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_keras_files(suffix: str, tmp_path: Path, pixels: Pixels) -> None:
    model = keras_model(tf.keras)
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    source = open_source(path, Hints())
    assert (source.normalisation.mean, source.normalisation.std) == (127.5, 127.5)
    np.testing.assert_allclose(answers(source, pixels), keras_answers(model, pixels), atol=1e-4)


def test_h5_files_that_recent_keras_refuses(tmp_path: Path, pixels: Pixels) -> None:
    tf_keras = pytest.importorskip("tf_keras", reason="legacy files need tf-keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.InputLayer(input_shape=[SIDE, SIDE, 3]),
            layers.DepthwiseConv2D(3),  # written with `groups`, which Keras 3 refuses
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    path = tmp_path / "old.h5"
    model.save(path)
    with pytest.raises(Exception, match="groups"):
        tf.keras.models.load_model(path)
    expected = np.asarray(model((pixels.astype(np.float32) - MEAN) / STD))
    np.testing.assert_allclose(answers(open_source(path, Hints()), pixels), expected, atol=1e-4)


def test_saved_model_folders(tmp_path: Path, pixels: Pixels) -> None:
    model = keras_model(tf.keras)
    with contextlib.redirect_stdout(io.StringIO()):
        model.export(tmp_path / "saved")
    for path in (tmp_path / "saved", tmp_path / "saved" / "saved_model.pb"):
        source = open_source(path, Hints())
        np.testing.assert_allclose(answers(source, pixels), keras_answers(model, pixels), atol=1e-4)


@pytest.fixture
def float_tflite(tmp_path: Path) -> Path:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(retrained().SerializeToString())
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    out = tmp_path / "float.tflite"
    assert main(["convert", str(graph), "-o", str(out), "--dtype", "float32", "--mean", "120", "--std", "130"]) == 0
    (tmp_path / "labels.txt").unlink()
    return out


@pytest.mark.parametrize("dtype", ["int8", "dynamic", "float16"])
def test_float_tflite_keeps_its_labels_and_normalisation(dtype: str, float_tflite: Path, tmp_path: Path) -> None:
    if dtype != "int8":
        pytest.importorskip("ai_edge_quantizer", reason="dynamic and float16 from .tflite need ai-edge-quantizer")
    photos = colour_photos(tmp_path / "photos")
    out = tmp_path / "small.tflite"
    assert main(["convert", str(float_tflite), "-o", str(out), "--dtype", dtype, "--calibrate", str(photos)]) == 0
    assert load_model(out).labels == LABELS
    known = load_model(out).file.normalisation
    assert known is not None
    assert known.normalisation.mean == (120,)


def test_float_tflite_of_logits_gets_a_softmax(tmp_path: Path, pixels: Pixels) -> None:
    function = tf.function(body).get_concrete_function(tf.TensorSpec([1, SIDE, SIDE, 3]))
    path = tmp_path / "logits.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    source = open_source(path, Hints())
    assert "a softmax is added" in reason(source, "output")
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, MEAN, STD), atol=1e-5)


def test_quantized_tflite_is_refused(float_tflite: Path, tmp_path: Path) -> None:
    photos = colour_photos(tmp_path / "photos")
    out = tmp_path / "small.tflite"
    main(["convert", str(float_tflite), "-o", str(out), "--calibrate", str(photos)])
    with pytest.raises(UsageError, match="quantized already"):
        open_source(out, Hints())


def converted(function: Any, path: Path, *, float16: bool = False) -> Path:
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec([1, SIDE, SIDE, 3]))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if float16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    path.write_bytes(converter.convert())
    return path


def test_float16_tflite_becomes_int8(tmp_path: Path, pixels: Pixels) -> None:
    path = converted(lambda x: tf.nn.softmax(body(x)), tmp_path / "half.tflite", float16=True)
    source = open_source(path, Hints())
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, MEAN, STD), atol=5e-3)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    photos, out = colour_photos(tmp_path / "photos"), tmp_path / "small.tflite"
    assert main(["convert", str(path), "-o", str(out), "--calibrate", str(photos), "--min-agreement", "0.9"]) == 0


@pytest.mark.parametrize("logit", [False, True])
def test_tflite_of_one_value_becomes_two_probabilities(logit: bool, tmp_path: Path, pixels: Pixels) -> None:
    path = converted(lambda x: body(x)[:, :1] if logit else tf.sigmoid(body(x)[:, :1]), tmp_path / "one.tflite")
    source = open_source(path, Hints())
    second = tf.sigmoid(body(tf.constant(((pixels - MEAN) / STD).astype(np.float32)))[:, :1]).numpy()
    np.testing.assert_allclose(answers(source, pixels), np.concatenate([1 - second, second], axis=1), atol=1e-5)


def test_keras_files_of_the_old_keras_are_read(tmp_path: Path, pixels: Pixels) -> None:
    tf_keras = pytest.importorskip("tf_keras", reason="legacy files need tf-keras")
    model = keras_model(tf_keras)
    model.save(tmp_path / "model.keras")
    source = open_source(tmp_path / "model.keras", Hints())
    np.testing.assert_allclose(answers(source, pixels), keras_answers(model, pixels), atol=1e-4)
