"""`dogid convert` as a user types it."""

# what needs TensorFlow is imported only where it is installed

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from ai_edge_litert.interpreter import Interpreter

from dogid.cli import main
from dogid.errors import DogidError
from dogid.evaluation.compare import Agreement
from dogid.model.classifier import find_deviation, load_model
from dogid.photo.decode import decode
from dogid_convert.conversion import convert
from dogid_convert.conversion.label_files import find_labels
from tests.convert.small_graphs import LABELS, SIDE, Workspace, make_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def model(workspace: Workspace) -> Path:
    out = workspace.folder / "model.tflite"
    status = main(
        [
            "convert",
            str(workspace.graph),
            "-o",
            str(out),
            "--calibrate",
            str(workspace.photos),
            "--evaluate",
            str(workspace.photos),
        ]
    )
    assert status == 0
    return out


def record(model: Path) -> dict[str, object]:
    with zipfile.ZipFile(model) as archive:
        return dict(json.loads(archive.read("dogid.json")))


def test_pixels_go_into_the_model_as_they_are(model: Path) -> None:
    [details] = Interpreter(model_path=str(model)).get_input_details()
    assert details["dtype"] == np.uint8
    assert details["quantization"] == pytest.approx((1 / 127.5, 127.5), abs=0.51)  # a zero point is an integer


def test_weights_are_int8_by_channel(model: Path) -> None:
    tensors = Interpreter(model_path=str(model)).get_tensor_details()
    scales = [len(t["quantization_parameters"]["scales"]) for t in tensors if t["dtype"] == np.int8]
    assert 12 in scales
    assert 16 in scales


def test_labels_are_read_with_zipfile(model: Path) -> None:
    with zipfile.ZipFile(model) as archive:
        assert archive.read("labels.txt").decode().splitlines() == list(LABELS)
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_STORED}


def test_record_has_hash_of_weights(model: Path) -> None:
    with zipfile.ZipFile(model) as archive:
        start = min(item.header_offset for item in archive.infolist())
    assert record(model)["weights_sha256"] == hashlib.sha256(model.read_bytes()[:start]).hexdigest()


def test_record_contains_provenance(model: Path, workspace: Workspace) -> None:
    packed = record(model)
    provenance = packed["provenance"]
    assert (packed["format"], packed["mean"], packed["std"]) == (1, 127.5, 127.5)
    assert isinstance(provenance, dict)
    assert provenance["graph"]["sha256"] == hashlib.sha256(workspace.graph.read_bytes()).hexdigest()
    assert provenance["gate"]["passed"]
    assert provenance["calibration"]["per_label"] == {"blue": 10, "green": 10, "red": 10}
    assert str(workspace.folder) not in json.dumps(packed)


def test_converted_model_passes_its_self_test(model: Path) -> None:
    loaded = load_model(model)
    assert loaded.labels == LABELS
    assert loaded.size == (SIDE, SIDE)
    assert loaded.file.golden is not None
    assert len(loaded.file.golden.scores) == len(LABELS)
    assert find_deviation(loaded.classifier(), loaded.file.golden) is None


def test_converted_model_classifies_colours(model: Path, workspace: Workspace) -> None:
    loaded = load_model(model)
    classifier = loaded.classifier()
    for label in LABELS:
        photo = (workspace.photos / label / "0.png").read_bytes()
        scores = classifier.classify(decode(photo, loaded.size).pixels)
        assert LABELS[int(scores.argmax())] == label
        assert scores.sum() == pytest.approx(1, abs=1e-5)


def test_same_command_gives_same_bytes(model: Path, workspace: Workspace) -> None:
    again = workspace.folder / "again.tflite"
    photos = str(workspace.photos)
    main(["convert", str(workspace.graph), "-o", str(again), "--calibrate", photos, "--evaluate", photos])
    assert again.read_bytes() == model.read_bytes()


def test_report_has_agreement_accuracy_sizes_and_times(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "m.tflite", tmp_path / "report.json"
    flags = [
        "--calibrate",
        str(workspace.photos),
        "--evaluate",
        str(workspace.photos),
        "--group-by",
        "1?",
        "--json",
        "--report",
        str(report),
    ]
    assert main(["convert", str(workspace.graph), "-o", str(out), *flags]) == 0
    report_json = json.loads(capsys.readouterr().out)
    assert report_json == json.loads(report.read_text())
    assert report_json["passed"]
    assert report_json["agreement"]["photos"] == 30  # the other half calibrates
    assert report_json["calibration"]["photos"] == 30
    assert report_json["evaluation"]["labels"] == list(LABELS)
    assert np.array(report_json["evaluation"]["converted"]["confusion"]).sum() == 30
    assert report_json["evaluation"]["disagreement"]["p_value"] <= 1
    assert report_json["evaluation"]["groups"] == 2
    assert 0 < report_json["converted"]["bytes"] < report_json["float"]["bytes"] * 2
    assert report_json["converted"]["milliseconds"] > 0
    assert report_json["found"]["normalisation"]["value"] == "(pixel - 127.5) / 127.5"
    assert report_json["model"] == str(out)


def test_html_report_shows_matrices_and_photos(workspace: Workspace, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    flags = ["--calibrate", str(workspace.photos), "--evaluate", str(workspace.photos), "--report", str(page)]
    assert main(["convert", str(workspace.graph), "-o", str(tmp_path / "m.tflite"), *flags]) == 0
    html = page.read_text()
    assert html.count("<svg") == 2
    assert html.count('src="data:image/jpeg') == 24
    assert "passed" in html
    assert json.loads((tmp_path / "report.json").read_text())["passed"]


def test_people_get_a_table_and_a_verdict(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = str(workspace.photos)
    flags = ["--calibrate", photos, "--evaluate", photos, "--group-by", "[0-9]+"]
    main(["convert", str(workspace.graph), "-o", str(tmp_path / "m.tflite"), *flags])
    printed = capsys.readouterr()
    for words in (
        "accuracy (top-1)",
        "McNemar's test (by photo, not by source): p = ",
        "30 photos not used to calibrate",
        "passed",
        "blue 10",
        "wrote",
    ):
        assert words in printed.out
    assert "TensorFlow" not in printed.err


def disagreeing(monkeypatch: pytest.MonkeyPatch) -> None:
    worse = Agreement(photos=30, same=20, share=2 / 3, interval=(0.5, 0.8), mean_difference=0.2, largest_difference=1.0)
    monkeypatch.setattr(convert, "measure_agreement", lambda *_: worse)


def test_model_failing_the_gate_replaces_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disagreeing(monkeypatch)
    out = tmp_path / "m.tflite"
    out.write_bytes(b"the good one")
    assert main(["convert", str(workspace.graph), "-o", str(out), "--calibrate", str(workspace.photos)]) == 1
    assert out.read_bytes() == b"the good one"
    assert "FAILED" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_force_writes_a_model_that_fails_the_gate(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disagreeing(monkeypatch)
    out = tmp_path / "m.tflite"
    assert main(["convert", str(workspace.graph), "-o", str(out), "--calibrate", str(workspace.photos), "--force"]) == 1
    provenance = record(out)["provenance"]
    assert isinstance(provenance, dict)
    assert not provenance["gate"]["passed"]


@pytest.mark.parametrize("dtype", ["dynamic", "float16", "float32"])
def test_other_kinds_of_models_need_no_photos(
    dtype: str, workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.tflite"
    assert main(["convert", str(workspace.graph), "-o", str(out), "--dtype", dtype]) == 0
    assert "not measured: no photos were given" in capsys.readouterr().out
    loaded = load_model(out)
    photo = (workspace.photos / "red" / "0.png").read_bytes()
    assert LABELS[int(loaded.classifier().classify(decode(photo, loaded.size).pixels).argmax())] == "red"


def test_folder_that_retrain_wrote_is_a_graph(workspace: Workspace, tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "retrained_graph.pb").write_bytes(workspace.graph.read_bytes())
    (trained / "retrained_labels.txt").write_text("".join(f"{label}\n" for label in LABELS))

    assert main(["convert", str(trained), "-o", str(tmp_path / "m.tflite"), "--dtype", "float32"]) == 0

    assert record(tmp_path / "m.tflite")["provenance"]["graph"]["file"] == "retrained_graph.pb"  # type: ignore[index]


def test_unmeasured_model_has_not_passed(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "m.tflite", tmp_path / "report.html"
    assert (
        main(["convert", str(workspace.graph), "-o", str(out), "--dtype", "float16", "--json", "--report", str(page)])
        == 0
    )
    report_json, provenance = json.loads(capsys.readouterr().out), record(out)["provenance"]
    assert isinstance(provenance, dict)
    assert report_json["passed"] is None
    assert provenance["gate"]["passed"] is None
    assert "float16: not measured</h1>" in page.read_text()


def test_photos_measure_other_kinds_of_models_too(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--dtype", "float16", "--calibrate", str(workspace.photos), "--json"]
    assert main(["convert", str(workspace.graph), "-o", str(tmp_path / "m.tflite"), *flags]) == 0
    report_json = json.loads(capsys.readouterr().out)
    assert report_json["passed"] is True
    assert report_json["agreement"]["photos"] == 60


def test_full_disk_leaves_the_old_model(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "m.tflite"
    out.write_bytes(b"the good one")
    assert main(["convert", str(workspace.graph), "-o", str(out), "--dtype", "float32"]) == DogidError.exit_status
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]
    assert out.read_bytes() == b"the good one"


@pytest.mark.parametrize("given", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("taken", ["uint8", "int8", "float32"])
def test_int8_model_has_requested_io_types(taken: str, given: str, workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "model.tflite"
    flags = [
        "--input-type",
        taken,
        "--output-type",
        given,
        "--calibrate",
        str(workspace.photos),
        "--min-agreement",
        "0.9",
    ]
    assert main(["convert", str(workspace.graph), "-o", str(out), *flags]) == 0

    loaded = load_model(out)
    answer = loaded.classifier()
    assert (answer.input_kind.dtype, answer.output_kind["dtype"]) == (taken, given)
    for i, label in enumerate(LABELS):
        photo = decode((workspace.photos / label / "0.png").read_bytes(), loaded.size)
        assert answer.classify(photo.pixels).argmax() == i


def test_only_int8_models_have_other_types(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--dtype", "float16", "--output-type", "int8"]
    assert main(["convert", str(workspace.graph), "-o", str(tmp_path / "model.tflite"), *flags]) == 2
    assert "a float16 model takes and gives float32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("retrained_labels.txt", "\ufeffblue\r\ngreen\r\nred\r\n"),
        ("output_labels.txt", "0 blue\n1 green\n2 red\n\n"),
        ("labels.txt", "0:blue\n1:green\n2:red"),
        ("graph.txt", "blue\ngreen\nred\n"),
    ],
)
def test_labels_beside_the_graph_are_found_in_any_form(
    name: str, text: str, workspace: Workspace, tmp_path: Path
) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(workspace.graph.read_bytes())
    (tmp_path / name).write_bytes(text.encode())
    assert find_labels(graph, None).names == LABELS


def test_labels_of_the_graphs_own_name_come_first(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    (tmp_path / "graph.txt").write_text("c\nd\n")
    assert find_labels(tmp_path / "graph.pb", None).names == ("c", "d")


def test_labels_inside_a_saved_model_are_found(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "labels.txt").write_text("a\nb\n")
    assert find_labels(tmp_path, None).names == ("a", "b")


def test_labels_that_occur_twice_are_a_warning(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("blue\nblue\nred\n")
    flags = ["--dtype", "float32", "--labels", str(labels)]
    assert main(["convert", str(workspace.graph), "-o", str(tmp_path / "m.tflite"), *flags]) == 0
    assert "several outputs have the same label: blue" in capsys.readouterr().err
