"""The first operator of uint8 models is spared, and nothing else changes."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dogid.model.classifier import Classifier, load_model
from dogid.model.flatbuffer import root
from dogid.model.interpreter import choose_backend
from dogid.model.model_file import read_model_file
from dogid.model.shipped import shipped_model
from dogid.model.skip_quantize import strip_input_quantize
from tests.support.collection import MODELS, needs

OTHERS = sorted(MODELS.glob("*.tflite"))


def operators(data: bytes) -> list[tuple[int, ...]]:
    graph = next(root(data, b"TFL3").tables(2))
    return [operator.numbers(field, "i") for operator in graph.tables(3) for field in (1, 2)]


def test_stripped_shipped_model_has_identical_scores() -> None:
    path = shipped_model()
    whole, model = path.read_bytes(), load_model(path)
    random = np.random.default_rng(1)
    backend = choose_backend(whole)
    interpreter = backend.interpreter(whole)
    taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    classifier = model.classifier()

    assert operators(model.file.data) == operators(whole)[2:]
    for _ in range(10):
        pixels = random.integers(0, 256, (224, 224, 3), dtype=np.uint8)
        interpreter.set_tensor(taken, pixels[np.newaxis])
        interpreter.invoke()
        assert classifier.classify(pixels).tobytes() == interpreter.get_tensor(given).reshape(-1).tobytes()


def test_shown_input_kind_is_that_of_the_file() -> None:
    model = load_model(shipped_model())

    assert (model.input.dtype, model.input.normalisation) == ("uint8", "pixels as they are")
    # as long as the weights in the file: what follows them is the zip
    assert shipped_model().read_bytes()[len(model.file.data) :].startswith(b"PK")


@needs(MODELS)
@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_models_of_others_answer_the_same(path: Path) -> None:
    file = read_model_file(path)
    backend = choose_backend(path.read_bytes())
    interpreter = backend.interpreter(path.read_bytes())
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    pixels = np.random.default_rng(2).integers(0, 256, taken["shape"][1:], dtype=np.uint8)
    interpreter.set_tensor(taken["index"], pixels[np.newaxis])
    interpreter.invoke()
    scale, zero_point = given["quantization"]
    raw = interpreter.get_tensor(given["index"]).reshape(-1).astype(np.int32)

    scores = Classifier(file, backend).classify(pixels)
    assert np.array_equal(scores, (raw - zero_point) * np.float32(scale))


@pytest.mark.parametrize("zero_point", [0, 127])
def test_quantize_operator_that_rescales_stays(zero_point: int) -> None:
    whole = bytearray(shipped_model().read_bytes())
    graph = next(root(bytes(whole), b"TFL3").tables(2))
    quantization = next(graph.tables(0)).table(4)
    assert quantization is not None
    at, count = quantization.vector(3, 8)
    assert count == 1
    struct.pack_into("<q", whole, at, zero_point)

    assert strip_input_quantize(bytes(whole)) is None


def test_model_without_zero_point_is_unchanged() -> None:
    whole = bytearray(shipped_model().read_bytes())
    quantization = next(next(root(bytes(whole), b"TFL3").tables(2)).tables(0)).table(4)
    assert quantization is not None
    at, _ = quantization.vector(3, 8)
    struct.pack_into("<I", whole, at - 4, 0)  # the vector's length

    assert strip_input_quantize(bytes(whole)) is None


def test_damaged_models_are_left_to_the_interpreter() -> None:
    whole = shipped_model().read_bytes()
    random = np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(whole[:200_000])
        at = int(random.integers(4, len(damaged) - 8))
        damaged[at : at + 8] = random.bytes(8)
        found = strip_input_quantize(bytes(damaged))
        assert found is None or len(found) == len(damaged)
    assert strip_input_quantize(b"") is None
    assert strip_input_quantize(whole[:100]) is None


def test_stripping_takes_no_more_than_two_copies() -> None:
    whole = shipped_model().read_bytes()
    tracemalloc.start(1)
    try:
        assert strip_input_quantize(whole) is not None
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2 * len(whole) + 200_000  # all levels as numbers: 3 MB more, of which Python keeps one
