"""Wrong input, and the messages for it."""

# ruff: noqa: E402  # what needs TensorFlow is imported only where it is installed

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

tf = pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.cli import main
from tests.convert.small_graphs import LABELS, SIDE, Workspace, body, build_graph, make_workspace, retrained

v1 = tf.compat.v1
Refused = Callable[..., str]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, per_label=3)


@pytest.fixture
def refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Convert with flags; check that it fails without a traceback and leaves nothing; return the message."""

    def convert(*flags: str, graph: Path | None = None, status: int = 2, dtype: str = "float32") -> str:
        out = workspace.folder / "m.tflite"
        assert main(["convert", str(graph or workspace.graph), "-o", str(out), "--dtype", dtype, *flags]) == status
        assert not out.exists()
        message = capsys.readouterr().err
        assert "Traceback" not in message
        return message

    return convert


def test_missing_graph_is_named(refused: Refused, workspace: Workspace) -> None:
    assert "gone.pb: no such file" in refused(graph=workspace.folder / "gone.pb")


def test_text_file_is_no_graph(refused: Refused, workspace: Workspace) -> None:
    assert "not a graph" in refused(graph=workspace.folder / "retrained_labels.txt")


def test_truncated_graph_is_reported(refused: Refused, workspace: Workspace) -> None:
    workspace.graph.write_bytes(workspace.graph.read_bytes()[:-700])
    assert "cut off" in refused(status=1)


def test_empty_file_is_no_graph(refused: Refused, workspace: Workspace) -> None:
    workspace.graph.write_bytes(b"")
    assert "empty" in refused()


def test_operators_of_its_own_are_named(refused: Refused, workspace: Workspace) -> None:
    graph = retrained()
    next(node for node in graph.node if node.op == "Relu6").op = "MySecretActivation"
    workspace.save(graph)
    assert "MySecretActivation" in refused(status=1)


def test_operators_that_tflite_lacks_are_named(refused: Refused, workspace: Workspace) -> None:
    def build() -> None:
        pixels = v1.placeholder(tf.float32, [1, SIDE, SIDE, 3], name="input")
        tf.nn.softmax(tf.math.erfinv(body(pixels)), name="final_result")

    workspace.save(build_graph(build))
    assert "Erfinv" in refused(status=1)


def test_graph_with_variables_is_not_frozen(refused: Refused, workspace: Workspace) -> None:
    def build() -> None:
        pixels = v1.placeholder(tf.float32, [1, SIDE, SIDE, 3], name="input")
        scale = v1.get_variable("scale", [3], use_resource=True)
        tf.nn.softmax(body(pixels) * scale, name="final_result")

    workspace.save(build_graph(build))
    assert "not frozen: scale" in refused(status=1)


def test_layers_hidden_in_functions_are_named(refused: Refused, workspace: Workspace) -> None:
    graph = retrained()
    next(node for node in graph.node if node.op == "Relu6").op = "PartitionedCall"
    workspace.save(graph)
    assert "calls functions" in refused(status=1)


@pytest.mark.parametrize("names", [LABELS[:2], (*LABELS, "violet")])
def test_label_count_mismatch_shows_both_counts(names: tuple[str, ...], refused: Refused, workspace: Workspace) -> None:
    (workspace.folder / "retrained_labels.txt").write_text("\n".join(names))
    message = refused(status=1)
    assert f"{len(names)} labels ('blue', 'green'" in message
    assert "3 outputs" in message


def test_missing_labels_list_where_they_were_searched(refused: Refused, workspace: Workspace) -> None:
    (workspace.folder / "retrained_labels.txt").unlink()
    message = refused()
    for name in ("retrained_labels.txt", "labels.txt", "retrained_graph.txt", "--labels"):
        assert name in message


def test_int8_without_photos_names_a_fix(refused: Refused) -> None:
    message = refused(dtype="int8")
    assert "--calibrate" in message
    assert "--dtype dynamic" in message


def test_missing_calibration_folder_is_named(refused: Refused, workspace: Workspace) -> None:
    assert "gone does not exist" in refused("--calibrate", str(workspace.folder / "gone"), dtype="int8")


def test_empty_calibration_folder_is_named(refused: Refused, workspace: Workspace) -> None:
    (workspace.folder / "empty").mkdir()
    assert "no photos in" in refused("--calibrate", str(workspace.folder / "empty"), dtype="int8")


def test_photos_that_are_none_are_named(refused: Refused, workspace: Workspace) -> None:
    folder = workspace.folder / "bad"
    folder.mkdir()
    (folder / "a.jpg").write_text("no photo")
    assert "a.jpg" in refused("--calibrate", str(folder), dtype="int8", status=1)


def flat_folder(workspace: Workspace, *labels: str) -> Path:
    """A folder with one photo of each of these labels, and no sub-folders."""
    folder = workspace.folder / "flat"
    folder.mkdir()
    for label in labels:
        (folder / f"{label}.png").write_bytes((workspace.photos / label / "0.png").read_bytes())
    return folder


def test_single_photo_is_too_few_for_int8(refused: Refused, workspace: Workspace) -> None:
    message = refused("--calibrate", str(flat_folder(workspace, "red")), dtype="int8")
    assert "1 readable photo" in message
    assert "at least 2" in message
    assert "--dtype dynamic" in message


def test_broken_photo_does_not_count_towards_minimum(refused: Refused, workspace: Workspace) -> None:
    folder = flat_folder(workspace, "red")
    (folder / "broken.jpg").write_text("no photo")
    message = refused("--calibrate", str(folder), dtype="int8")
    assert "1 readable photo" in message
    assert "broken.jpg" in message


def test_one_of_two_photos_is_compared_on(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--calibrate", str(flat_folder(workspace, "red", "blue")), "--min-agreement", "0", "--json"]
    assert main(["convert", str(workspace.graph), "-o", str(workspace.folder / "m.tflite"), *flags]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["calibration"]["photos"], result["agreement"]["photos"], result["passed"]) == (1, 1, True)


@pytest.mark.parametrize(("flag", "labelled"), [("--calibrate", False), ("--calibrate", True), ("--evaluate", True)])
def test_unreadable_photos_are_named_and_left_out(
    flag: str, labelled: bool, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace.photos / "red" if labelled else flat_folder(workspace, *LABELS)
    (folder / "gone.png").symlink_to(workspace.folder / "nowhere")
    (folder / "empty.png").touch()
    (folder / "broken.png").write_text("no photo")
    os.mkfifo(folder / "pipe.png")
    flags = [
        flag,
        str(workspace.photos if labelled else folder),
        "--min-agreement",
        "0",
        "--dtype",
        "float32",
        "--json",
    ]
    assert main(["convert", str(workspace.graph), "-o", str(workspace.folder / "m.tflite"), *flags]) == 0
    printed = capsys.readouterr()
    for name, reason in (("gone", "No such file"), ("empty", "empty"), ("pipe", "no regular file"), ("broken", "")):
        assert re.search(rf"left out: .*/{name}.png: .*{reason}", printed.err)
    assert len([line for line in json.loads(printed.out)["warnings"] if line.startswith("left out")]) == 4


def test_folder_of_one_unreadable_photo_names_it(refused: Refused, workspace: Workspace) -> None:
    folder = flat_folder(workspace)
    (folder / "gone.png").symlink_to(workspace.folder / "nowhere")
    assert "gone.png: No such file" in refused("--calibrate", str(folder), dtype="int8")


def test_unreadable_folder_is_named_without_tensorflow(
    refused: Refused, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("dogid_convert.conversion.convert.read_folder", forbidden)
    message = refused("--calibrate", str(workspace.photos), status=1)
    assert f"{workspace.photos}: Permission denied" in message
    assert "TensorFlow" not in message


def test_three_photos_are_a_warning(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--calibrate", str(flat_folder(workspace, *LABELS)), "--min-agreement", "0"]
    assert main(["convert", str(workspace.graph), "-o", str(workspace.folder / "m.tflite"), *flags]) == 0
    assert "only 3 photos" in capsys.readouterr().err


def test_missing_class_is_a_warning(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for photo in (workspace.photos / "red").iterdir():
        photo.unlink()
    (workspace.photos / "red").rmdir()
    flags = ["--calibrate", str(workspace.photos), "--min-agreement", "0"]
    assert main(["convert", str(workspace.graph), "-o", str(workspace.folder / "m.tflite"), *flags]) == 0
    assert "no photos of red" in capsys.readouterr().err


def test_folders_that_are_no_labels_are_named(refused: Refused, workspace: Workspace) -> None:
    (workspace.photos / "red").rename(workspace.photos / "crimson")
    assert "crimson" in refused("--evaluate", str(workspace.photos))


def two_inputs() -> Any:
    def build() -> None:
        left = v1.placeholder(tf.float32, [1, SIDE, SIDE, 3], name="left")
        right = v1.placeholder(tf.float32, [1, SIDE, SIDE, 3], name="right")
        tf.nn.softmax(body(left + right), name="final_result")

    return build_graph(build)


def two_outputs() -> Any:
    def build() -> None:
        logits = body(v1.placeholder(tf.float32, [1, SIDE, SIDE, 3], name="input"))
        tf.nn.softmax(logits, name="colours")
        tf.nn.softmax(-logits, name="opposites")

    return build_graph(build)


def test_several_inputs_are_listed(refused: Refused, workspace: Workspace) -> None:
    workspace.save(two_inputs())
    message = refused()
    assert "left" in message
    assert "right" in message
    assert "--input" in message


def test_several_outputs_are_listed(refused: Refused, workspace: Workspace) -> None:
    workspace.save(two_outputs())
    message = refused()
    assert "colours, opposites" in message
    assert "--output-node" in message


@pytest.mark.parametrize("flag", ["--output-node", "--output"])
def test_one_of_several_outputs_can_be_chosen(
    flag: str, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.save(two_outputs())
    flags = ["--dtype", "float32", flag, "opposites:0"]
    assert main(["convert", str(workspace.graph), "-o", str(workspace.folder / "m.tflite"), *flags]) == 0
    printed = capsys.readouterr()
    assert "named by --output-node" in printed.out
    assert ("--output is now --output-node;" in printed.err) == (flag == "--output")


@pytest.mark.parametrize(
    ("flag", "name", "meant"), [("--input", "inputt", "input"), ("--output-node", "final", "final_result")]
)
def test_unknown_node_name_lists_candidates(flag: str, name: str, meant: str, refused: Refused) -> None:
    message = refused(flag, name)
    assert repr(name) in message
    assert meant in message.replace(repr(name), "")


def test_output_of_wrong_shape_is_refused(refused: Refused) -> None:
    assert "not [1, classes]" in refused("--output-node", "pooled:0", "--size", "64")


def test_size_that_does_not_fit_is_refused(refused: Refused) -> None:
    assert "--size" in refused("--size", "48", status=2)


@pytest.mark.parametrize(
    "flags",
    [
        ("--mean", "1"),
        ("--std", "1"),
        ("--mean", "1", "--std", "1", "-o", "."),
        ("-o", "retrained_graph.pb"),
        ("--group-by", "a"),
    ],
)
def test_flags_that_make_no_sense_are_usage_errors(
    flags: tuple[str, ...], refused: Refused, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.folder)
    refused(*flags)


@pytest.mark.parametrize(
    "flags",
    [
        ("--std", "0"),
        ("--mean", "1,2"),
        ("--min-agreement", "2"),
        ("--size", "x"),
        ("--dtype", "int4"),
        ("--group-by", "("),
    ],
)
def test_values_out_of_range_are_usage_errors(flags: tuple[str, ...], workspace: Workspace) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["convert", str(workspace.graph), "-o", "m.tflite", *flags])
    assert stopped.value.code == 2


def test_missing_output_folder_is_not_created(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    out = workspace.folder / "unmounted" / "m.tflite"

    assert main(["convert", str(workspace.graph), "-o", str(out), "--dtype", "float32"]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert not out.parent.exists()
