"""What a graph wants instead of a pixel is found in the graph, beside it, or asked for."""

# ruff: noqa: E402  # what needs TensorFlow is imported only where it is installed

from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.errors import UsageError
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
    source = open_source(path, Hints(normalisation=(0, 255)))
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
    source = open_source(saved(tmp_path, lambda: body(image())), Hints(normalisation=(100, 50)))
    np.testing.assert_allclose(answers(source, pixels), probabilities(pixels, 100, 50), atol=1e-5)
