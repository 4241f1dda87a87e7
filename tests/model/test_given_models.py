"""Models of kinds that once were read wrongly: each answers rightly, is fed as set, or is refused with the reason."""

import json
from pathlib import Path

import pytest

from dogid.cli import main
from tests.support.collection import SMALL_MODELS, needs

pytestmark = needs(SMALL_MODELS)

PHOTOS = [str(SMALL_MODELS / "bright.png"), str(SMALL_MODELS / "dark.png")]


def classify(capsys: pytest.CaptureFixture[str], model: str, *flags: str) -> tuple[list[str], str]:
    """Return the labels of both photos, and what was printed to stderr."""
    assert main(["classify", *PHOTOS, "--json", "--model", str(SMALL_MODELS / model), *flags]) == 0
    output = capsys.readouterr()
    return [result["label"] for result in json.loads(output.out)["results"]], output.err


@pytest.mark.parametrize(
    "model",
    [
        "resizes_first",
        "pads_first",
        "scales_by_channel_first",
        "int8_inside_float_outside_0_to_1",
        "gray",
        "ultralytics_old",
        "ultralytics_new",
        "takes_0_to_1",
        "takes_0_to_255",
    ],
)
def test_normalisation_is_found_without_a_setting(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    labels, _ = classify(capsys, f"{model}.tflite")

    assert labels == ["bright", "dark"]


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("takes_0_to_1.tflite", ["--normalisation", "0..1"]),
        ("takes_0_to_255.tflite", ["--normalisation", "0..255"]),
        ("teachable_machine.zip", ["--normalisation", "0/1"]),
        ("any_size.tflite", ["--size", "32", "--normalisation", "0..1"]),
    ],
)
def test_normalisation_that_no_file_shows_is_set(
    model: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    labels, printed = classify(capsys, model, *flags)

    assert labels == ["bright", "dark"]
    assert "by the settings" in printed
    assert "warning" not in printed


@pytest.mark.parametrize(
    ("model", "setting"),
    [("takes_0_to_1.tflite", "0..1"), ("takes_0_to_255.tflite", "0..255"), ("teachable_machine.zip", "0..255")],
)
def test_a_range_that_gives_one_answer_is_not_guessed(
    model: str, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, printed = classify(capsys, model)
    assert labels == ["bright", "dark"]
    assert f"= {setting}, unchecked: the file does not define it, and with -1..1 every test picture gets" in printed
    assert "warning: the model's normalisation is guessed" in printed
    assert "dogid model try" in printed

    assert main(["model", "show", str(SMALL_MODELS / model), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["input"]
    assert (shown["origin"], shown["setting"]) == ("guessed", setting)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("class_number_only.tflite", "its output is a class number (int64), without scores"),
        ("any_size.tflite", "takes images of any size: give the one it was trained with, --size N"),
        ("lfs_pointer.tflite", "a Git LFS pointer, not the model itself: run `git lfs pull`"),
        ("web_page.h5", "a web page, not the model: the download went wrong"),
    ],
)
def test_what_cannot_answer_is_refused_with_a_way_out(
    model: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", *PHOTOS, "--model", str(SMALL_MODELS / model)]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("labels_1_euro.txt", ["2 euro", "1 euro"]),
        ("labels_dot.txt", ["bright", "dark"]),
        ("labels_comma.csv", ["bright", "dark"]),
        ("class_indices.json", ["bright", "dark"]),
    ],
)
def test_label_files_of_all_forms_are_read(
    labels: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = classify(capsys, "pads_first.tflite", "--labels", str(SMALL_MODELS / labels))

    assert found == expected


def test_repeated_labels_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.txt").write_text("same\nsame\n")
    _, printed = classify(capsys, "pads_first.tflite", "--labels", str(tmp_path / "labels.txt"))

    assert "several outputs have the same label" in printed
