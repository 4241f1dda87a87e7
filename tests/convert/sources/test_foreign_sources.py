"""Models of other programs convert, or are refused with what they are and the next step."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dogid.cli import main
from dogid.errors import DogidError
from dogid.preprocessing import Normalisation
from dogid_convert.graph.check_operators import check_operators
from dogid_convert.graph.network import Hints
from dogid_convert.sources.float_model import open_source

tf = pytest.importorskip("tensorflow", reason="the models are made by TensorFlow")
keras = pytest.importorskip("keras")

SIDE = 16


def network(front: Callable[[Any], Any] | None = None, *, shape: tuple[int, ...] = (SIDE, SIDE, 3)) -> Any:
    """A small Keras classifier behind front."""
    image = keras.Input(shape)
    features = keras.layers.Conv2D(4, 3)(image if front is None else front(image))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(features))
    return keras.Model(image, keras.layers.Dense(2, activation="softmax")(features))


def tflite_of(model: Any) -> bytes:
    made: bytes = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return made


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.onnx", b"\x08\x07\x12\x07pytorch" + bytes(40), "an ONNX model: pip install onnx2tf"),
        ("best.pt", zipped(best__data_pkl=b"x"), "PyTorch weights"),
        ("tm.zip", zipped(model_json=b"{}", weights_bin=b""), "for TensorFlow.js: where it was made, export it for"),
        ("keras.zip", zipped(keras__model_h5=b"x", labels_txt=b"0 a"), "unpack it, and give keras/model.h5"),
        ("page.h5", b"<!DOCTYPE html><html>", "a web page, not the model"),
        ("m.pb", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("m.h5", b"", "the file is empty"),
    ],
    ids=["onnx", "pytorch", "tensorflow.js", "keras in a zip", "web page", "lfs", "empty"],
)
def test_other_files_are_named_with_the_next_step(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DogidError) as refused:
        open_source(tmp_path / name, Hints())

    assert reason in str(refused.value)
    assert len(str(refused.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_layers_of_the_authors_own_are_named(ending: str, tmp_path: Path) -> None:
    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, values: Any) -> Any:
            return values * 2

    path = tmp_path / f"m.{ending}"
    network(Own()).save(path)
    with pytest.raises(DogidError, match=r"layers of its author's own code \(Own\).*model.export\('FOLDER'\)"):
        open_source(path, Hints())


def test_export_in_training_mode_asks_for_the_keras_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = network(keras.layers.RandomFlip())

    class Trained(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.model, self.kept = model, model.variables

        @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3])])  # type: ignore[untyped-decorator]
        def run(self, image: Any) -> Any:
            return self.model(image, training=True)

    trained = Trained()
    tf.saved_model.save(trained, os.fspath(tmp_path / "m"), signatures=trained.run.get_concrete_function())
    (tmp_path / "labels.txt").write_text("a\nb\n")
    flags = ["-o", str(tmp_path / "m.tflite"), "--dtype", "float32", "--labels", str(tmp_path / "labels.txt")]

    assert main(["convert", str(tmp_path / "m"), *flags]) == 1
    assert "exported as it is trained" in (printed := capsys.readouterr().err)
    assert "give its .keras or .h5 file" in printed


@pytest.mark.parametrize("kind", ["keras", "tflite"])
def test_planar_models_convert_and_answer_the_same(kind: str, tmp_path: Path) -> None:
    model = network(keras.layers.Permute((2, 3, 1)), shape=(3, SIDE, SIDE + 4))
    path = tmp_path / f"m.{kind}"
    if kind == "keras":
        model.save(path)
    else:
        path.write_bytes(tflite_of(model))
    source = open_source(path, Hints(normalisation=Normalisation((0.0,), (255.0,))))
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE + 4, 3), dtype=np.uint8)
    expected = model(pixels.transpose(0, 3, 1, 2) / np.float32(255), training=False).numpy()

    assert source.size == (SIDE + 4, SIDE)
    assert source.predict(pixels, lambda items, _: items) == pytest.approx(expected, abs=1e-4)


def test_zip_of_teachable_machine_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "converted_tflite.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("model_unquant.tflite", tflite_of(network()))
        made.writestr("labels.txt", "0 Cat\n1 Dog\n")
    out = tmp_path / "m.tflite"

    assert main(["convert", str(archive), "-o", str(out), "--dtype", "float32"]) == 0
    assert "Cat, Dog" in (printed := capsys.readouterr().out)
    assert "float32: " in printed


@pytest.mark.parametrize(
    "front",
    [
        lambda x: x[..., ::-1] - np.array([103.9, 116.8, 123.7], np.float32),
        lambda x: x * np.array([1 / 58.4, 1 / 57.1, 1 / 57.4], np.float32) - np.array([2.1, 2.0, 1.8], np.float32),
        lambda x: keras.layers.Rescaling(1 / 255)(keras.layers.ZeroPadding2D(2)(x)),
    ],
    ids=["caffe", "by channel", "padded"],
)
def test_scaling_behind_other_operators_is_found(front: Callable[[Any], Any], tmp_path: Path) -> None:
    path = tmp_path / "m"
    image = tf.TensorSpec([1, SIDE, SIDE, 3], tf.float32)
    model = network()
    weights = model.get_weights()

    @tf.function(input_signature=[image])  # type: ignore[untyped-decorator]
    def run(values: Any) -> Any:
        features = tf.nn.conv2d(front(values), tf.constant(weights[0]), 1, "VALID")
        return tf.nn.softmax(tf.matmul(tf.reduce_mean(features, (1, 2)), tf.constant(weights[-2])))

    module = tf.Module()
    module.run = run
    tf.saved_model.save(module, os.fspath(path), signatures=run.get_concrete_function())
    source = open_source(path, Hints())

    assert (source.normalisation.mean, source.normalisation.std) == (0, 1)
    assert "0 to 255" in source.normalisation.reason


def test_labelled_photos_show_a_wrong_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = keras.Input((SIDE, SIDE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    head = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(image, head(mean))
    # of grey pixels 0 to 255, dark is what is below 100; red and green ones get different answers in any range
    weights = np.array([[-501, 501], [499, -499], [-1, 1]], np.float32)
    head.set_weights([weights, np.array([300, -300], np.float32)])
    model.save(tmp_path / "m.keras")
    (tmp_path / "labels.txt").write_text("dark\nbright\n")
    for label, level in (("dark", 60), ("bright", 160)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(12):
            picture = np.full((SIDE, SIDE, 3), level + number, np.uint8)
            Image.fromarray(picture).save(tmp_path / "photos" / label / f"{number}.png")
    flags = ["--dtype", "float32", "--calibrate", str(tmp_path / "photos"), "-o", str(tmp_path / "m.tflite")]
    main(["convert", str(tmp_path / "m.keras"), *flags])
    printed = capsys.readouterr().err

    assert "pixels of 0..255 give 24 of 24 right, the guess 12: convert again with --mean 0 --std 1" in printed


def test_keras_model_that_takes_pixels_is_guessed_right(tmp_path: Path) -> None:
    image = keras.Input((SIDE, SIDE, 3))
    head = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(image, head(keras.layers.GlobalAveragePooling2D()(image)))
    head.set_weights([np.array([[-1, 1]] * 3, np.float32), np.array([300, -300], np.float32)])
    model.save(tmp_path / "m.keras")
    found = open_source(tmp_path / "m.keras", Hints()).normalisation

    assert (found.mean, found.std, found.is_guess) == (0, 1, True)
    assert "with -1..1 every test picture gets the same answer" in found.reason


def test_graph_of_the_former_quantization_asks_for_the_float_one() -> None:
    graph = tf.compat.v1.GraphDef()
    with tf.Graph().as_default() as made:
        image = tf.compat.v1.placeholder(tf.float32, (1, SIDE, SIDE, 3), name="input")
        low, high = tf.constant(-1.0), tf.constant(1.0)
        weights = tf.quantization.dequantize(tf.zeros((3, 2), tf.quint8), low, high)
        tf.nn.softmax(tf.matmul(tf.reduce_mean(image, (1, 2)), weights), name="final_result")
        graph.CopyFrom(made.as_graph_def())

    with pytest.raises(DogidError, match=r"quantized already.*give the frozen graph"):
        check_operators(graph)
