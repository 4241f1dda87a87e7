import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dogid.cli import main
from dogid.model.shipped import shipped_model
from dogid.shelf.folder import put_on_shelf
from tests.model.small_models import LABELS, SIZE, with_labels


def test_shipped_model_shows_and_checks_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "show", str(shipped_model()), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert shown["checked"]["weights"] == "match their checksum"
    assert shown["checked"]["golden_photo"].startswith("expected scores")
    assert shown["provenance"]["gate"]["passed"] is True
    assert (shown["network"]["width"], shown["network"]["dtype"]) == (1280, "int8")
    assert shown["bytes"] == shipped_model().stat().st_size


def test_unchecked_parts_are_shown_as_unchecked(
    float_model: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = with_labels(float_model, tmp_path / "foreign.tflite")
    assert main(["model", "show", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert shown["labels"] == list(LABELS)
    assert (shown["input"]["width"], shown["input"]["dtype"]) == (SIZE, "float32")
    assert all("unchecked" in text for text in shown["checked"].values())
    assert "unchecked" in shown["input"]["normalisation"]


def test_people_get_a_table(float_model: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = with_labels(float_model, tmp_path / "foreign.tflite")
    assert main(["model", "show", str(path)]) == 0

    shown = capsys.readouterr().out
    assert "red, green, blue" in shown
    assert "no last layer that can be learned: before the scores there is an operator MEAN" in shown


def test_file_that_is_no_model_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.tflite").write_text("no model")

    assert main(["model", "show", str(tmp_path / "text.tflite")]) == 2
    assert "text.tflite: not a TensorFlow Lite model" in capsys.readouterr().err


def test_unmeasured_gate_is_shown_as_such(
    tmp_path: Path, float_model: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    record: dict[str, Any] = {
        "provenance": {"gate": {"agreement": None, "passed": None}, "calibration": None, "remedies": []}
    }
    path = with_labels(float_model, tmp_path / "model.tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("dogid.json", json.dumps(record))
    assert main(["model", "show", str(path)]) == 0
    shown = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())

    assert shown["provenance: gate.agreement"] == shown["provenance: gate.passed"] == "not measured"
    assert shown["provenance: calibration"] == shown["provenance: remedies"] == "none"


def test_name_on_the_shelf_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put_on_shelf(tmp_path, "mine", shipped_model().read_bytes(), "a test")

    assert main(["model", "show", path.name, "--state", str(tmp_path)]) == 0
    assert str(path) in capsys.readouterr().out
