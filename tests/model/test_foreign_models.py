"""Other people's models are read as they mean it, or refused with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dogid.errors import UsageError
from dogid.model.classifier import Classifier, best_scores, load_model
from tests.model.foreign_models import means, model_of, packed, with_input_quantization, with_metadata
from tests.model.small_models import SIZE, flat

tf = pytest.importorskip("tensorflow", reason="the models are made by TensorFlow")

THREE = "red\ngreen\nblue\n"


def classifier(model: bytes, folder: Path, labels: str = THREE) -> Classifier:
    return load_model(packed(model, folder / "model.tflite", labels_txt=labels)).classifier()


@pytest.fixture(scope="module")
def sigmoid_model() -> bytes:
    return model_of(lambda image: tf.sigmoid(means(image)))


def test_multi_label_values_stay_as_they_are(sigmoid_model: bytes, tmp_path: Path) -> None:
    answer = classifier(sigmoid_model, tmp_path)
    expected = 1 / (1 + np.exp([-4, 4, 4]))

    # the second one sums to one by chance, and is read like the first
    assert answer.classify(flat((255, 0, 0))) == pytest.approx(expected, abs=1e-4)
    assert answer.classify(flat((255, 255, 255))).sum() == pytest.approx(3 / (1 + np.exp(-4)), abs=1e-3)
    assert answer.output_kind["reading"] == "probabilities as they are"


def test_a_quantized_multi_label_model_too(tmp_path: Path) -> None:
    answer = classifier(model_of(lambda image: tf.sigmoid(means(image)), quantized=True), tmp_path)

    assert answer.classify(flat((255, 255, 0))) == pytest.approx([0.982, 0.982, 0.018], abs=0.03)


def test_logits_that_look_like_probabilities_get_their_softmax(tmp_path: Path) -> None:
    logits = model_of(lambda image: means(image) / 12 + tf.constant([1 / 3, 1 / 3, 1 / 3]))
    answer = classifier(with_metadata(logits, mean=0, std=255), tmp_path)
    # sums of a layer, whatever their values on one photo: 2/3, 1/3, 1/3 here
    scores = answer.classify(flat((255, 0, 0)))

    assert answer.output_kind["reading"].startswith("logits")
    assert scores.sum() == pytest.approx(1)


def test_softmax_of_single_operators_is_found_by_trying(tmp_path: Path) -> None:
    def written_out(image: Any) -> Any:
        powers = tf.exp(means(image))
        return powers / tf.reduce_sum(powers, axis=1, keepdims=True)

    answer = classifier(model_of(written_out), tmp_path)

    assert answer.output_kind["reading"] == "probabilities as they are"
    assert answer.classify(flat((0, 255, 0)))[1] == pytest.approx(np.exp(4) / (np.exp(4) + 2 * np.exp(-4)), abs=1e-4)


@pytest.mark.parametrize("logit", [False, True])
def test_one_output_stands_for_two_labels(logit: bool, tmp_path: Path) -> None:
    def red(image: Any) -> Any:
        value = means(image) @ tf.constant([[1.0], [0.0], [0.0]])
        return value if logit else tf.sigmoid(value)

    answer = classifier(model_of(red), tmp_path, "other\nred\n")

    assert answer.classify(flat((255, 0, 0))) == pytest.approx([0.018, 0.982], abs=1e-3)
    assert answer.classify(flat((0, 0, 0))) == pytest.approx([0.982, 0.018], abs=1e-3)


def test_one_output_with_one_label_asks_for_two(tmp_path: Path) -> None:
    model = model_of(lambda image: tf.sigmoid(means(image)[:, :1]))

    with pytest.raises(UsageError, match=r"1 label \(red\), but the model has 2"):
        classifier(model, tmp_path, "red\n")


def test_planar_images_as_pytorch_has_them(tmp_path: Path) -> None:
    model = model_of(lambda image: tf.nn.softmax(means(tf.transpose(image, (0, 2, 3, 1)))), shape=(1, 3, 24, SIZE))
    loaded = load_model(packed(model, tmp_path / "model.tflite", labels_txt=THREE))
    pixels = np.zeros((24, SIZE, 3), np.uint8) + np.array([0, 0, 255], np.uint8)

    assert loaded.size == (SIZE, 24)
    assert best_scores(loaded.classifier().classify(pixels), loaded.labels)["blue"] > 0.9


def test_the_metadatas_normalisation_is_used_for_float_input(tmp_path: Path) -> None:
    model = with_metadata(model_of(lambda image: tf.nn.softmax(means(image))), mean=0, std=255)
    answer = classifier(model, tmp_path)

    expected = np.exp([4, 0, 0]) / np.exp([4, 0, 0]).sum()
    assert answer.classify(flat((255, 0, 0))) == pytest.approx(expected, abs=1e-4)
    assert answer.input_kind.normalisation == "(pixel - 0) / 255 = 0..1, by the model's metadata"


@pytest.mark.parametrize(("divisor", "shift"), [(127.5, -1.0), (1.0, 0.0)])
def test_model_that_scales_pixels_gets_raw_pixels(divisor: float, shift: float, tmp_path: Path) -> None:
    def scaled(image: Any) -> Any:
        pixels = image / divisor + shift if divisor > 1 else (image - tf.constant([120.0, 121, 122])) / 128.0
        return tf.nn.softmax(means(pixels))

    answer = classifier(model_of(scaled), tmp_path)

    assert answer.classify(flat((255, 0, 0)))[0] > 0.99
    assert answer.input_kind.normalisation.startswith("(pixel - 0) / 1 = 0..255,")


def test_quantized_input_of_another_range_is_computed(tmp_path: Path) -> None:
    plain = model_of(lambda image: tf.nn.softmax(means(image)), quantized=True)
    usual = classifier(with_metadata(plain, mean=127.5, std=127.5), tmp_path)
    # twice the scale: half of the levels are enough for -1..1
    wide = with_metadata(with_input_quantization(plain, 2 / 127.5, 0), mean=127.5, std=127.5)
    answer = classifier(wide, tmp_path)
    unsure = flat((160, 128, 96))

    assert usual.input_kind.normalisation == "pixels as they are"
    assert answer.input_kind.normalisation.startswith("(pixel - 127.5) / 127.5 = -1..1, then quantized")
    assert answer.classify(unsure) == pytest.approx([0.67, 0.24, 0.09], abs=0.03)
    assert answer.classify(unsure) == pytest.approx(usual.classify(unsure), abs=0.03)


def test_float_normalisation_in_quantized_model_is_ignored(tmp_path: Path) -> None:
    plain = model_of(lambda image: tf.nn.softmax(means(image)), quantized=True)
    answer = classifier(with_metadata(plain, mean=0, std=1), tmp_path)

    assert answer.input_kind.normalisation == "pixels as they are"
    assert answer.classify(flat((255, 0, 0)))[0] > 0.9


def test_of_several_texts_the_metadata_names_the_labels(sigmoid_model: bytes, tmp_path: Path) -> None:
    model = with_metadata(sigmoid_model, mean=127.5, std=127.5, labels_file="names.txt")
    path = packed(model, tmp_path / "model.tflite", labels_txt="a\nb\nc\n", names_txt=THREE, about_txt="x\ny\nz\n")

    assert load_model(path).labels == ("red", "green", "blue")


def test_label_file_with_fitting_count_is_chosen(sigmoid_model: bytes, tmp_path: Path) -> None:
    path = packed(sigmoid_model, tmp_path / "model.tflite", about_txt="Made by me.\n", classes_names=THREE)

    assert load_model(path).labels == ("red", "green", "blue")


def test_hundred_thousand_labels_load_and_classify(tmp_path: Path) -> None:
    many = 100_000
    weights = tf.constant(np.random.default_rng(0).normal(0, 1, (3, many)).astype(np.float32))
    model = model_of(lambda image: tf.nn.softmax(means(image) @ weights))
    path = packed(model, tmp_path / "model.tflite", labels_txt="".join(f"{i} label {i}\n" for i in range(many)))

    loaded = load_model(path)
    answer = loaded.classifier()
    for _ in range(5):
        best = best_scores(answer.classify(flat((200, 30, 90))), loaded.labels)
    assert len(best) == 5
