"""What `dogid retrain` says of folders, files and flags with which something is wrong."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from dogid.cli import main
from dogid_convert.data import manifest
from tests.convert.training_material import pattern_photo, small_graph
from tests.convert.training_runs import Run, report_of, retrain


def test_unreadable_photos_are_named_skipped_and_counted(untidy_run: Run) -> None:
    assert "broken.jpg" in untidy_run.stderr
    assert "closed.jpg" in untidy_run.stderr
    assert "doubtful.jpg" in untidy_run.stderr
    assert "notes.txt" in untidy_run.stderr
    assert report_of(untidy_run.output)["photos"]["unreadable"] == 4


def test_report_names_data_version_and_skipped_files(untidy_run: Run) -> None:
    document, found = report_of(untidy_run.output), manifest.load(untidy_run.output)
    assert document["data"]["version"] == found.version == manifest.load(untidy_run.photos).version
    graph = untidy_run.output / "retrained_graph.pb"
    assert document["graph"]["sha256"] == sha256(graph.read_bytes()).hexdigest()
    skipped = {entry.file: entry.error for entry in found.entries if entry.error}
    assert set(skipped) == {"blue/notes.txt", "red/broken.jpg", "red/closed.jpg", "red/doubtful.jpg"}
    assert {entry["file"]: entry["reason"] for entry in document["photos"]["skipped"]} == skipped
    assert found.counts() == document["photos"]["per_label"]


def test_only_photo_of_a_label_is_trained_on(untidy_run: Run) -> None:
    assert "single has 1 photo only" in untidy_run.stderr
    document = report_of(untidy_run.output)
    assert document["held_out"]["photos"] > 0
    assert document["held_out"]["recall"]["single"] is None


def test_photos_without_a_label_are_reported(untidy_run: Run) -> None:
    assert "1 file in" in untidy_run.stderr


def test_too_many_unreadable_photos_are_an_error(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        (photos / "red" / f"broken{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes([number]))

    assert retrain(photos, tmp_path / "out") == 1
    assert "30 of 90 photos" in capfd.readouterr().err
    assert not (tmp_path / "out" / "retrained_graph.pb").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--seed", "-1"],
        ["--size", "5"],
        ["--class-weight", "red"],
        ["--group-by", "("],
        ["--epochs", "0"],
        ["--balance-groups", "2"],
    ],
)
def test_wrong_flags_are_wrong_usage(photos: Path, tmp_path: Path, flags: list[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        retrain(photos, tmp_path / "out", *flags)
    assert leaving.value.code == 2


def test_balance_of_groups_without_groups_is_wrong_usage(photos: Path, tmp_path: Path) -> None:
    assert retrain(photos, tmp_path / "out", "--balance-groups", "0.5") == 2


def test_class_weight_of_unknown_label_is_wrong_usage(photos: Path, tmp_path: Path) -> None:
    assert retrain(photos, tmp_path / "out", "--class-weight", "green=2") == 2


def test_missing_folder_is_wrong_usage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert retrain(tmp_path / "none", tmp_path / "out") == 2
    assert "does not exist" in capfd.readouterr().err


def test_base_that_tensorflow_cannot_run_is_named(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(small_graph().read_bytes())
    next(node for node in graph.node if node.op == "Relu6").op = "MySecretActivation"
    base = tmp_path / "strange.pb"
    base.write_bytes(graph.SerializeToString())

    assert retrain(photos, tmp_path / "out", base=base) == 1
    message = capfd.readouterr().err
    assert "strange.pb" in message
    assert "MySecretActivation" in message
    assert "Traceback" not in message


def test_output_that_is_a_file_is_wrong_usage(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    assert retrain(photos, tmp_path / "out") == 2


def test_mistake_in_file_with_non_utf8_name_is_reported(photos: Path, tmp_path: Path) -> None:
    for number in range(60, 120):  # blue photos under red: hard to separate
        path = Path(os.fsdecode(bytes(photos / "red") + b"/caf\xe9%d.jpg" % number))
        path.write_bytes(pattern_photo("blue", number))

    assert retrain(photos, tmp_path / "out") == 0
    assert any("%E9" in mistake["file"] for mistake in report_of(tmp_path / "out")["mistakes"])


def test_output_among_the_labels_is_wrong_usage(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["retrain", str(photos), "-o", str(photos / "out"), "--cache", str(tmp_path)]) == 2
    assert "each folder is a label" in capsys.readouterr().err
    assert not (photos / "out").exists()


def test_too_little_memory_error_names_the_flags(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dogid_convert.training.bottlenecks.free_memory", lambda: 10_000)
    assert retrain(photos, tmp_path / "out") == 1
    assert "--augment" in capsys.readouterr().err
