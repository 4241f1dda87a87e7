from pathlib import Path

import numpy as np
import pytest

from dogid.errors import UsageError
from dogid.model.classifier import Model, best_scores, load_model
from tests.model.small_models import LABELS, SIZE, flat, with_labels

KINDS = ("float_model", "logits_model", "int8_model", "uint8_model", "uint8_logits_model")
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    return load_model(with_labels(request.getfixturevalue(request.param), tmp_path / "model.tflite"))


@pytest.mark.parametrize("colour", COLOURS)
def test_every_input_and_output_kind_gives_right_label(model: Model, colour: str) -> None:
    scores = model.classifier().classify(flat(COLOURS[colour]))

    assert next(iter(best_scores(scores, model.labels))) == colour


def test_every_kind_of_output_gives_probabilities(model: Model) -> None:
    # the network's logits for this colour are 4, -4, -4
    expected = np.exp([4, -4, -4]) / np.exp([4, -4, -4]).sum()

    scores = model.classifier().classify(flat(COLOURS["red"]))

    assert scores == pytest.approx(expected, abs=0.02)


def test_the_size_is_the_models_own(model: Model) -> None:
    assert model.size == (SIZE, SIZE)


def test_classifiers_of_one_model_are_independent(float_model: bytes, tmp_path: Path) -> None:
    model = load_model(with_labels(float_model, tmp_path / "model.tflite"))
    one, other = model.classifier(), model.classifier()
    first = one.classify(flat(COLOURS["red"]))
    other.classify(flat(COLOURS["blue"]))

    assert one.classify(flat(COLOURS["red"])) == pytest.approx(first)


def test_misfit_labels_are_refused_with_both_counts(float_model: bytes, tmp_path: Path) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite", labels=("cat", "dog"))

    with pytest.raises(UsageError, match=r"2 labels \(cat, dog\), but the model has 3 outputs"):
        load_model(path)


def test_label_longer_than_any_is_refused_by_number(float_model: bytes, tmp_path: Path) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite", labels=("cat", "x" * 301, "dog"))

    message = r"model\.tflite: label 2 of labels.txt inside model.tflite has 301 characters .* right file by --labels"
    with pytest.raises(UsageError, match=message):
        load_model(path)
    load_model(with_labels(float_model, tmp_path / "other.tflite", labels=("cat", "x" * 300, "dog")))


def test_model_without_labels_is_refused_with_hint(float_model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(float_model)

    with pytest.raises(UsageError, match="--labels"):
        load_model(path)


def test_a_model_cut_short_is_refused_by_name(float_model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(float_model[: len(float_model) // 2])
    (tmp_path / "model.txt").write_text("\n".join(LABELS))

    with pytest.raises(UsageError, match=r"model\.tflite"):
        load_model(path)


def test_best_scores_are_ordered_and_at_most_five() -> None:
    scores = np.array([0.1, 0.3, 0.05, 0.25, 0.1, 0.2], np.float32)

    best = best_scores(scores, ["a", "b", "c", "d", "e", "f"])

    assert list(best) == ["b", "d", "f", "a", "e"]
