"""What a graph wants instead of a pixel is found in the graph, beside it, or asked for."""

# ruff: noqa: E402  # what needs TensorFlow is imported only where it is installed

from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.errors import UsageError
from dogid.preprocessing import Normalisation
from dogid_convert.graph.network import Hints
from dogid_convert.sources.float_model import open_source
from tests.convert.small_graphs import (
    Pixels,
    answers,
    body,
    image,
    probabilities,
    random_pixels,
    reason,
    saved,
)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return random_pixels()


@pytest.mark.parametrize(
    ("scaling", "mean", "std"),
    [
        (lambda x: x * 2.0 - 1.0, 127.5, 127.5),  # values 0..1, as TensorFlow Hub's modules take them
        (lambda x: (x - 128.0) / 128.0, 128, 128),  # pixels
        (lambda x: x / 127.5 - 1.0, 127.5, 127.5),
        (lambda x: x * (1 / 255.0), 0, 255),
        (lambda x: -1.0 + tf.constant(1 / 127.5) * x, 127.5, 127.5),
    ],
)
def test_scaling_inside_the_graph_is_found(
    scaling: Any, mean: float, std: float, tmp_path: Path, pixels: Pixels
) -> None:
    source = open_source(saved(tmp_path, lambda: body(scaling(image("Placeholder")))), Hints())
    assert (source.normalisation.mean, source.normalisation.std) == (mean, std)
    assert "the graph scales" in source.normalisation.reason
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, mean, std), atol=1e-4)


def test_integer_pixels_are_taken_as_they_are(tmp_path: Path, pixels: Pixels) -> None:
    source = open_source(
        saved(tmp_path, lambda: body(tf.cast(image(dtype=tf.uint8), tf.float32) / 128.0 - 1.0)), Hints()
    )
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, 128, 128), atol=1e-5)


def test_mean_colour_stays_in_the_graph(tmp_path: Path, pixels: Pixels) -> None:
    colour = [123.7, 116.8, 103.9]
    source = open_source(saved(tmp_path, lambda: body((image() - tf.constant(colour)) * 0.01)), Hints())
    assert (source.normalisation.mean, source.normalisation.std) == (0, 1)
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, np.array(colour), 100), atol=1e-4)


def test_scaling_that_is_not_clear_asks_for_flags(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda: body(image() * 1000.0))
    with pytest.raises(UsageError, match="--mean and --std"):
        open_source(path, Hints())
    source = open_source(path, Hints(normalisation=Normalisation((0,), (255,))))
    assert source.normalisation.std == pytest.approx(0.255)


def test_default_without_scaling_is_reported(tmp_path: Path) -> None:
    source = open_source(saved(tmp_path, lambda: body(image())), Hints())
    assert "default" in reason(source, "normalisation")


def test_normalisation_recorded_by_training_is_used(tmp_path: Path, pixels: Pixels) -> None:
    (tmp_path / "report.json").write_text('{"input": {"name": "input", "mean": 110, "std": 70}}')
    source = open_source(saved(tmp_path, lambda: body(image())), Hints())
    assert "report.json" in reason(source, "normalisation")
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, 110, 70), atol=1e-5)


def test_mean_and_std_given_by_the_user_win(tmp_path: Path, pixels: Pixels) -> None:
    source = open_source(saved(tmp_path, lambda: body(image())), Hints(normalisation=Normalisation((100,), (50,))))
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, 100, 50), atol=1e-5)


MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("kind", ["graph", "tflite"])
def test_mean_and_std_by_colour_become_a_convolution(kind: str, channels: str, tmp_path: Path, pixels: Pixels) -> None:
    path = saved(tmp_path, lambda: body(image()))
    if kind == "tflite":
        plain = open_source(path, Hints())
        path = tmp_path / "model.tflite"
        path.write_bytes(plain.tflite("float32"))
    given = Normalisation(MEAN, STD)
    source = open_source(path, Hints(normalisation=given, channels=channels))
    fed = ((pixels - np.array(MEAN)) / np.array(STD)).astype(np.float32)
    expected = tf.nn.softmax(body(fed[..., ::-1] if channels == "bgr" else fed)).numpy()

    assert (source.normalisation.mean, source.normalisation.std) == (0, 1)
    assert "a convolution in front makes (pixel - [123.675, 116.28, 103.53])" in source.normalisation.reason
    np.testing.assert_allclose(answers(source, pixels), expected, atol=1e-4)


def test_mean_by_colour_is_of_the_input_of_a_graph_that_scales(tmp_path: Path, pixels: Pixels) -> None:
    path = saved(tmp_path, lambda: body(image("Placeholder") * 2.0 - 1.0))
    source = open_source(path, Hints(normalisation=Normalisation((10.0, 20.0, 30.0), (255.0,))))
    expected = tf.nn.softmax(body(((pixels - np.array([10, 20, 30])) / 255 * 2 - 1).astype(np.float32))).numpy()

    np.testing.assert_allclose(answers(source, pixels), expected, atol=1e-4)


def test_order_of_colours_alone_keeps_the_normalisation(tmp_path: Path, pixels: Pixels) -> None:
    source = open_source(saved(tmp_path, lambda: body(image() / 127.5 - 1.0)), Hints(channels="bgr"))

    assert "BGR, by a convolution in front" in source.normalisation.reason
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels[..., ::-1], 127.5, 127.5), atol=1e-4)


def test_network_that_subtracts_the_mean_of_bgr_gets_bgr(tmp_path: Path, pixels: Pixels) -> None:
    def front(x: Any) -> Any:
        return (x - tf.constant([103.939, 116.779, 123.68])) / 100.0

    source = open_source(saved(tmp_path, lambda: body(front(image()))), Hints())
    expected = tf.nn.softmax(body(front(tf.constant(pixels[..., ::-1], tf.float32)))).numpy()

    np.testing.assert_allclose(answers(source, pixels), expected, atol=1e-4)
