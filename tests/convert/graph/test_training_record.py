import json
import shutil
from pathlib import Path

import pytest

from dogid.cli import main
from tests.convert.training_material import make_folder, small_graph


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    photos = make_folder(folder / "photos")
    words = ["retrain", str(photos), "-o", str(folder / "out"), "--base", str(small_graph())]
    assert main([*words, "--cache", str(folder / "cache")]) == 0
    return folder / "out"


def shown(graph: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Convert, and return the provenance that `dogid model show` prints."""
    assert main(["convert", str(graph), "-o", str(model), "--dtype", "float32"]) == 0
    capsys.readouterr()
    assert main(["model", "show", str(model), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out)["provenance"])


def test_model_names_version_of_its_training_photos(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provenance = shown(trained / "retrained_graph.pb", tmp_path / "m.tflite", capsys)

    report = json.loads((trained / "report.json").read_text())
    assert provenance["trained_on"] == {
        "data_version": report["data"]["version"],
        "photos": report["photos"]["trained_on"],
    }


@pytest.mark.parametrize("report", [None, b"no JSON", b"[]", b'{"graph": {"sha256": "of another graph"}, "data": {}}'])
def test_report_of_another_graph_is_not_used(
    report: bytes | None, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("retrained_graph.pb", "retrained_labels.txt"):
        shutil.copy(trained / name, tmp_path)
    if report is not None:
        (tmp_path / "report.json").write_bytes(report)

    assert "trained_on" not in shown(tmp_path / "retrained_graph.pb", tmp_path / "m.tflite", capsys)
