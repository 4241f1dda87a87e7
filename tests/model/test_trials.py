"""`dogid model try` finds the normalisation that a model was trained with, by photos whose labels are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dogid.cli import main
from tests.model.foreign_models import means, model_of, packed
from tests.model.small_models import LABELS

tf = pytest.importorskip("tensorflow", reason="the models are made by TensorFlow")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photos of each colour, with other colours in them."""
    root, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for at, label in enumerate(LABELS):
        (root / label).mkdir()
        for number in range(10):
            pixels = random.integers(60, 110, (32, 32, 3), dtype=np.uint8)
            pixels[..., at] += 40
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root


def farthest(image: Any, level: float, gain: float) -> Any:
    """A head that answers with the colour whose mean is farthest from a level."""
    values = means(image) / 4
    return tf.nn.softmax(gain * tf.square(values - level))


@pytest.fixture(scope="module")
def takes_0_to_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is right for pixels of 0..1, and wrong for those of -1..1, where dark is farther from 0.1."""
    model = model_of(lambda image: farthest(image, 0.1, 400))
    return packed(model, tmp_path_factory.mktemp("model") / "m.tflite", labels_txt="\n".join(LABELS))


def test_folder_of_photos_finds_the_normalisation(
    takes_0_to_1: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "try", str(takes_0_to_1), str(photos), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert document["present"] == {"normalisation": "-1..1", "channels": "rgb", "origin": "guessed"}
    assert document["fits"]["flags"] == "--normalisation=0..1"
    assert document["is_surely_better"] is True
    assert (document["trials"][0]["right"], document["labelled"]) == (30, 30)


def test_single_photos_show_the_answers_and_what_to_set(
    takes_0_to_1: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"{label}={photos}/{label}/0.png" for label in LABELS]
    assert main(["model", "try", str(takes_0_to_1), *given]) == 0
    printed = capsys.readouterr().out

    assert "0..1 rgb fits; set it by --normalisation=0..1. As many are right with 0..255 rgb" in printed
    assert "(now)" in printed


def test_photos_without_labels_get_answers_but_no_advice(
    takes_0_to_1: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    for label in LABELS:
        (tmp_path / f"{label}.png").write_bytes((photos / label / "0.png").read_bytes())
    assert main(["model", "try", str(takes_0_to_1), str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "0..1 rgb        blue 1.000" in printed.out
    assert "fits" not in printed.out
    assert "which of them fits is not known without labels" in printed.err
    assert "left out: " in printed.err
    assert "notes.txt" in printed.err

    assert main(["model", "try", str(takes_0_to_1), str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["photos"], document["labelled"], document["fits"]) == (3, 0, None)


def test_many_photos_without_labels_are_counted_by_answer(
    takes_0_to_1: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        folder = tmp_path / f"day {number}"
        folder.mkdir()
        (folder / "0.png").write_bytes((photos / LABELS[number % 2] / "0.png").read_bytes())
    assert main(["model", "try", str(takes_0_to_1), str(tmp_path)]) == 0
    printed = capsys.readouterr()

    assert f"{LABELS[0]} 3, {LABELS[1]} 3" in printed.out
    assert "no folder in it has the name of one of the model's labels" in printed.err


def test_ties_are_named(takes_0_to_1: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(takes_0_to_1), f"green={photos}/green/0.png"]  # the middle colour of any order
    assert main(["model", "try", *given]) == 0
    assert ". As many are right with 0..255 rgb, 0..1 bgr" in capsys.readouterr().out
    assert main(["model", "try", *given, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    right = [trial for trial in document["trials"] if trial["right"] == 1]
    assert len(document["fit_as_well"]) == len(right) - 1 > 0


def test_what_was_found_makes_the_model_right(
    takes_0_to_1: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "try", str(takes_0_to_1), str(photos), "--normalisation", "0..1"]) == 0
    assert "0..1 rgb fits: nothing to set" in capsys.readouterr().out


def test_model_that_takes_bgr_is_found(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_of(lambda image: tf.nn.softmax(means(image)[:, ::-1]))
    path = packed(model, tmp_path / "m.tflite", labels_txt="\n".join(LABELS))
    assert main(["model", "try", str(path), str(photos), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["fits"]["channels"] == "bgr"


def test_quantized_model_is_tried_as_it_is_first(
    uint8_model: bytes, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = packed(uint8_model, tmp_path / "m.tflite", labels_txt="\n".join(LABELS))
    assert main(["model", "try", str(path), str(photos), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert (document["present"]["normalisation"], document["fits"]["flags"]) == ("", "")


def test_labels_that_the_model_does_not_have_are_refused(
    takes_0_to_1: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "try", str(takes_0_to_1), f"cat={photos}/red/0.png"]) == 2
    assert "cat: the model has no such label; it has red, green, blue" in capsys.readouterr().err


def test_judge_suggests_a_better_normalisation(
    takes_0_to_1: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["judge", str(takes_0_to_1), str(photos)])
    printed = capsys.readouterr().err

    assert "warning: normalisation 0..1 rgb answers 30 of 30 photos right" in printed
    assert "set --normalisation=0..1" in printed
