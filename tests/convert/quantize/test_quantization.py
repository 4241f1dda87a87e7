"""How an int8 model is made to answer like its float graph."""

# what needs TensorFlow is imported only where it is installed

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.errors import DogidError
from dogid.evaluation.compare import measure_agreement
from dogid.model.golden_photo import generate_image
from dogid_convert.conversion.photo_sets import decode_photos, interleave_labels, read_folder
from dogid_convert.graph.network import Hints
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.quantize import ai_edge, int8_search
from dogid_convert.quantize.bias_correction import BiasCorrector
from dogid_convert.quantize.tflite_converter import IoTypes, calibrate, quantize
from dogid_convert.sources.float_model import FloatSource, open_source
from dogid_convert.support.progress import untracked
from dogid_convert.tflite import run
from dogid_convert.tflite.flatbuffer_edit import add_metadata, pack, read_facts, unpack
from tests.convert.small_graphs import LABELS, SIDE, colour_photos, make_workspace


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FloatSource:
    return open_source(make_workspace(tmp_path_factory.mktemp("workspace"), 1).graph, Hints())


@pytest.fixture(scope="module")
def float_model(source: FloatSource) -> bytes:
    return source.tflite("float32")


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.stack([generate_image((SIDE, SIDE), seed) for seed in range(30)])


def scores(model: bytes, source: FloatSource, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return run.predict(run.make_classifier(model, LABELS, source.normalisation), pixels, untracked, "")


@pytest.mark.parametrize(("mean", "std", "zero_point"), [(128, 128, 128), (0, 255, 0), (0, 1, 0), (127.5, 127.5, 127)])
def test_int8_input_takes_raw_pixels(
    mean: float, std: float, zero_point: int, float_model: bytes, pixels: NDArray[np.uint8]
) -> None:
    normalisation = UniformNormalisation(mean, std, "")
    facts = read_facts(quantize(calibrate(float_model, pixels, normalisation), normalisation)).input
    assert facts.dtype == "UINT8"
    assert facts.scale == pytest.approx(1 / std)
    assert abs(facts.zero_point - zero_point) <= (mean % 1 > 0)


def test_model_that_cannot_take_raw_pixels_is_refused(float_model: bytes, pixels: NDArray[np.uint8]) -> None:
    bright = UniformNormalisation(-100, 128, "")  # int8 has no room for the range from 0, which it must hold
    with pytest.raises(DogidError, match="--dtype float32"):
        quantize(calibrate(float_model, pixels, bright), bright)


def test_small_last_layer_and_softmax_stay_in_float(
    source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8]
) -> None:
    model = quantize(calibrate(float_model, pixels, source.normalisation), source.normalisation)
    assert read_facts(model).float_operators == ("FULLY_CONNECTED", "SOFTMAX")


def test_layers_can_be_left_in_float(source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8]) -> None:
    calibrated = calibrate(float_model, pixels, source.normalisation)
    first = calibrated.layers[0]
    model = quantize(calibrated, source.normalisation, [first])
    assert read_facts(model).float_operators[0] == "CONV_2D"
    assert read_facts(model).input.dtype == "UINT8"
    assert measure_agreement(scores(float_model, source, pixels), scores(model, source, pixels)).share > 0.9


def test_corrected_biases_bring_the_answers_closer(
    source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8]
) -> None:
    plain = quantize(calibrate(float_model, pixels, source.normalisation), source.normalisation)
    better = BiasCorrector(float_model, pixels, source.normalisation).correct(plain)
    exact = scores(float_model, source, pixels)
    before, after = (np.abs(scores(model, source, pixels) - exact).mean() for model in (plain, better))
    assert after < before


def test_fallbacks_are_tried_until_one_agrees(
    source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    # usual, biases corrected; the other quantizer; the first layers in float, by either quantizer
    found = iter((0.9, 0.91, 0.95, 0.995, 0.96))

    def staged(first: NDArray[np.float32], second: NDArray[np.float32]) -> object:
        measured, share = measure_agreement(first, second), next(found)
        return type(measured)(1000, round(1000 * share), share, (0, 1), measured.mean_difference, 0)

    monkeypatch.setattr("dogid_convert.quantize.int8_search.measure_agreement", staged)
    kept = int8_search.find_best_int8(float_model, pixels, source.normalisation, LABELS, 0.98, untracked)
    assert len(kept.attempt_lines) == 5
    assert any(
        line.startswith("ai-edge-quantizer, the last layer left in float: 95.0 %") for line in kept.attempt_lines
    )
    assert kept.attempt_lines[-1].startswith("the first 1 of 4 layers left in float: 99.5 %")
    assert kept.attempt_lines[-1].endswith("; kept")
    assert kept.model == kept.attempts[-1].model


def test_best_model_is_kept_without_good_fallback(
    source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = [0.9, 0.91, 0.6, 0.8, 0.5, 0.93, 0.4, 0.7, 0.3, 0.7, 0.3]
    found = iter(shares)

    def staged(first: NDArray[np.float32], second: NDArray[np.float32]) -> object:
        measured = measure_agreement(first, second)
        return type(measured)(1000, 900, next(found), (0, 1), measured.mean_difference, 0)

    monkeypatch.setattr("dogid_convert.quantize.int8_search.measure_agreement", staged)
    kept = int8_search.find_best_int8(float_model, pixels, source.normalisation, LABELS, 0.98, untracked)
    assert len(kept.attempt_lines) == len(shares)
    assert "93.0 %" in kept.attempt_lines[-1]


def test_missing_other_quantizer_is_named(
    source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid_convert.quantize.ai_edge.is_installed", lambda: False)
    worse = measure_agreement(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[::-1])
    monkeypatch.setattr("dogid_convert.quantize.int8_search.measure_agreement", lambda *_: worse)
    kept = int8_search.find_best_int8(float_model, pixels, source.normalisation, LABELS, 0.98, untracked)
    assert any("not installed (pip install ai-edge-quantizer)" in line for line in kept.attempt_lines)


@pytest.mark.parametrize("interface", [IoTypes(), IoTypes("int8", "int8"), IoTypes("float32", "uint8")])
def test_other_quantizer_keeps_io_types(
    interface: IoTypes, source: FloatSource, float_model: bytes, pixels: NDArray[np.uint8]
) -> None:
    other = ai_edge.AiEdgeQuantizer(float_model, pixels, source.normalisation)
    layers = calibrate(float_model, pixels, source.normalisation).layers
    whole, mixed = (other.quantize(names, interface) for names in ((), layers[:2]))
    assert read_facts(mixed).io_types == (interface.input, interface.output)
    exact = scores(float_model, source, pixels)
    for model in (whole, mixed):
        assert measure_agreement(exact, scores(model, source, pixels)).share >= 0.8
    assert len(read_facts(mixed).float_operators) - len(read_facts(whole).float_operators) == 2


def test_good_model_needs_no_fallback(source: FloatSource, float_model: bytes, tmp_path: Path) -> None:
    folder = read_folder(colour_photos(tmp_path / "photos"))
    photos = decode_photos(interleave_labels(folder.photos), source.size, untracked, "")
    kept = int8_search.find_best_int8(float_model, photos.pixels, source.normalisation, LABELS, 0.98, untracked)
    assert kept.attempt_lines == ()
    assert kept.attempts[-1].agreement.share == 1


def test_calibration_photos_interleave_labels_by_content(tmp_path: Path) -> None:
    photos = colour_photos(tmp_path / "photos", per_label=6)
    for extra in range(20):
        (photos / "red" / f"copy{extra}.png").write_bytes(b"another %d" % extra)
    folder = read_folder(photos)
    first = interleave_labels(folder.photos)[:12]
    assert [folder.labels[photo.label] for photo in first] == list(LABELS) * 4
    for i, photo in enumerate(sorted(folder.photos, key=lambda photo: photo.sha256)):
        photo.path.rename(photo.path.with_name(f"renamed{i}.png"))
    assert [photo.sha256 for photo in interleave_labels(read_folder(photos).photos)[:12]] == [
        photo.sha256 for photo in first
    ]


def test_weights_stay_aligned_when_metadata_is_added(float_model: bytes) -> None:
    data = add_metadata(float_model, "NOTE", b"hello")
    model = unpack(data)
    assert [entry.name for entry in model.metadata].count(b"NOTE") == 1
    large = [bytes(buffer.data) for buffer in model.buffers if buffer.data is not None and len(buffer.data) > 200]
    assert large
    assert all(data.find(content) % 16 == 0 for content in large)
    assert pack(unpack(data)) == data
