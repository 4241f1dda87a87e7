"""How an output tensor becomes a probability for each label, without a model around it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.model.output_scores import ScoreDecoder, read_score_decoder
from dogid.model.tflite_metadata import OutputKind
from dogid.photo.pixels import Pixels

SIZE = (4, 2)  # width, height
PROBABILITIES = [0.25, 0.5, 0.25]
LOGITS = [0.0, 1.0, -1.0]


def details(dtype: Any = np.float32, scale: float = 0.0, zero_point: int = 0, classes: int = 3) -> dict[str, Any]:
    """Return what an interpreter says about an output."""
    return {"dtype": dtype, "quantization": (scale, zero_point), "shape": np.array([1, classes])}


def answering(*answers: list[float]) -> Any:
    """Return a model that gives these answers to one photo after the other, the last one to all further."""
    left = list(answers)

    def run(_: Pixels) -> NDArray[Any]:
        return np.array([left.pop(0) if len(left) > 1 else left[0]], np.float32)

    return run


def is_read_as_logits(*answers: list[float]) -> bool:
    """Whether a float model without metadata is read as giving logits, by its answers."""
    output = details(classes=len(answers[0]))
    return read_score_decoder(output, OutputKind.UNKNOWN, SIZE, answering(*answers)).logits


def range_is_read_as_logits(dtype: Any, scale: float, zero_point: int) -> bool:
    """Whether a quantized model without metadata is read as giving logits, by the range of its output."""
    output = details(dtype, scale, zero_point)
    return read_score_decoder(output, OutputKind.UNKNOWN, SIZE, answering(LOGITS)).logits


def test_float_probabilities_stay_as_they_are() -> None:
    scores = ScoreDecoder(0.0, 0, logits=False, single=False)(np.array([PROBABILITIES]))

    assert scores.dtype == np.float32
    assert scores.tolist() == PROBABILITIES


def test_float_output_ignores_a_zero_point() -> None:
    assert ScoreDecoder(0.0, 5, logits=False, single=False)(np.array([PROBABILITIES])).tolist() == PROBABILITIES


def test_int8_output_is_dequantized_without_overflow() -> None:
    scores = ScoreDecoder(1 / 256, -128, logits=False, single=False)(np.array([[-128, 0, 127]], np.int8))

    assert scores.dtype == np.float32
    assert scores.tolist() == [0.0, 0.5, 255 / 256]


def test_logits_become_their_softmax() -> None:
    scores = ScoreDecoder(0.5, 10, logits=True, single=False)(np.array([[10, 12, 8]], np.uint8))

    assert scores.dtype == np.float32
    assert scores == pytest.approx(np.exp(LOGITS) / np.exp(LOGITS).sum(), abs=1e-6)


def test_large_logits_do_not_overflow() -> None:
    scores = ScoreDecoder(0.0, 0, logits=True, single=False)(np.array([[1000.0, 1000.0, -1000.0]], np.float32))

    assert scores.tolist() == [0.5, 0.5, 0.0]


def test_single_probability_is_the_second_labels() -> None:
    scores = ScoreDecoder(0.0, 0, logits=False, single=True)(np.array([[0.75]], np.float32))

    assert scores.dtype == np.float32
    assert scores.tolist() == [0.25, 0.75]


def test_single_logit_is_the_second_labels() -> None:
    scores = ScoreDecoder(0.0, 0, logits=True, single=True)(np.array([[2.0]], np.float32))

    assert scores.dtype == np.float32
    assert scores == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))], abs=1e-6)


@pytest.mark.parametrize(
    ("logits", "single", "description"),
    [
        (False, False, "probabilities as they are"),
        (True, False, "logits: their softmax"),
        (False, True, "one value: the probability of the second label"),
        (True, True, "one value: the probability of the second label, as a logit"),
    ],
)
def test_description_says_how_values_are_read(logits: bool, single: bool, description: str) -> None:
    assert ScoreDecoder(0.0, 0, logits, single).description == description


def test_metadata_decides_before_the_answers() -> None:
    output = details()

    assert read_score_decoder(output, OutputKind.LOGITS, SIZE, answering(PROBABILITIES)).logits
    assert not read_score_decoder(output, OutputKind.PROBABILITIES, SIZE, answering(LOGITS)).logits


def test_metadata_decides_before_the_range() -> None:
    output = details(np.int8, 1 / 256, -128)

    found = read_score_decoder(output, OutputKind.LOGITS, SIZE, answering(PROBABILITIES))
    assert found == ScoreDecoder(1 / 256, -128, logits=True, single=False)


@pytest.mark.parametrize(
    ("output", "scale"),
    [
        (details(np.uint8, 0.5, 3), 0.5),
        (details(np.float32, 0.5, 3), 0.0),  # floats are what they are, whatever is noted beside them
        (details(np.int32, 0.0, 3), 0.0),
    ],
)
def test_only_quantized_integers_are_scaled(output: dict[str, Any], scale: float) -> None:
    found = read_score_decoder(output, OutputKind.PROBABILITIES, SIZE, answering(PROBABILITIES))

    assert found == ScoreDecoder(scale, 3, logits=False, single=False)


@pytest.mark.parametrize(("classes", "single"), [(1, True), (2, False)])
def test_one_output_is_read_as_single(classes: int, single: bool) -> None:
    found = read_score_decoder(details(classes=classes), OutputKind.LOGITS, SIZE, answering([0.0] * classes))

    assert found.single is single


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "logits"),
    [
        (np.int8, 1 / 256, -128, False),
        (np.uint8, 1 / 256, 0, False),
        (np.uint8, 1.015 / 255, 0, False),  # rounded up by a converter
        (np.uint8, 1.025 / 255, 0, True),
        (np.uint8, 1 / 256, 5, False),  # -5/256 is rounding
        (np.uint8, 1 / 256, 6, True),
        (np.int8, 1.03 / 255, -128, True),
        (np.int8, 0.1, 0, True),
        (np.int32, 0.0, 0, True),  # not quantized: the answers decide
    ],
)
def test_range_of_quantized_output_decides(dtype: Any, scale: float, zero_point: int, logits: bool) -> None:
    assert range_is_read_as_logits(dtype, scale, zero_point) is logits


@pytest.mark.parametrize(
    ("answer", "logits"),
    [
        (PROBABILITIES, False),
        ([0.0, 0.0, 1.0], False),
        ([0.0, 0.0, 1.015], False),
        ([0.0, 0.0, 0.985], False),
        ([0.0, 0.0, 1.025], True),
        ([0.0, 0.0, 0.975], True),
        ([-0.01, 0.01, 1.0], True),
        ([0.9, 0.9, 0.9], True),
        ([0.0], False),  # one value need not be 1
        ([1.015], False),
        ([1.025], True),
        ([-0.01], True),
    ],
)
def test_answers_to_generated_images_decide(answer: list[float], logits: bool) -> None:
    assert is_read_as_logits(answer) is logits


@pytest.mark.parametrize("odd", range(4))
def test_one_answer_that_is_no_distribution_decides(odd: int) -> None:
    answers = [PROBABILITIES] * 5
    answers[odd] = LOGITS

    assert is_read_as_logits(*answers)


def test_model_is_tried_on_flat_images_and_the_same_noise() -> None:
    seen: list[Pixels] = []

    def run(pixels: Pixels) -> NDArray[Any]:
        seen.append(pixels)
        return np.array([PROBABILITIES])

    for _ in range(2):
        read_score_decoder(details(), OutputKind.UNKNOWN, SIZE, run)
    assert [(image.shape, image.dtype) for image in seen] == [((2, 4, 3), np.dtype(np.uint8))] * 8
    assert [np.unique(image).tolist() for image in seen[:3]] == [[0], [128], [255]]
    assert np.ptp(seen[3]) > 200
    assert (seen[3] == seen[7]).all()
