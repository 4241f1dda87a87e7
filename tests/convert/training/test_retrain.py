import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from dogid.cli import main
from tests.convert.training_material import make_folder, pattern_photo, small_graph
from tests.convert.training_runs import Run, predict, report_of, retrain


def test_retrain_writes_graph_labels_and_reports(plain_run: Run) -> None:
    out = plain_run.output
    assert {path.name for path in out.iterdir()} == {
        "retrained_graph.pb",
        "retrained_labels.txt",
        "report.json",
        "report.html",
        "manifest.json",
        "training_embeddings.npz",
        "confusion_matrix.png",
    }
    assert (out / "retrained_labels.txt").read_text() == "blue\nred\n"
    assert report_of(out)["photos"]["per_label"] == {"blue": 30, "red": 30}


def test_graph_has_usual_nodes(plain_run: Run) -> None:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString((plain_run.output / "retrained_graph.pb").read_bytes())
    operators = {node.name: node.op for node in graph.node}

    assert operators["input"] == "Placeholder"
    assert {"final_training_ops/weights/final_weights", "final_training_ops/biases/final_biases"} <= set(operators)
    assert operators["final_result"] == "Softmax"


def test_every_photo_is_judged_once_and_trained_on(plain_run: Run) -> None:
    document = report_of(plain_run.output)

    assert document["photos"]["trained_on"] == document["held_out"]["photos"] == 60
    assert document["held_out"]["split"].startswith("5 folds, each photo judged once")


def test_graph_predicts_labels_of_unseen_photos(plain_run: Run) -> None:
    unseen = [pattern_photo("blue", 900), pattern_photo("red", 901)]
    assert predict(plain_run.output, unseen).argmax(axis=1).tolist() == [0, 1]


def test_retrained_graph_can_be_retrained(plain_run: Run, tmp_path: Path) -> None:
    again = make_folder(tmp_path / "others", ("blue", "red", "redder"), photos=15)

    assert retrain(again, tmp_path / "second", base=plain_run.output / "retrained_graph.pb") == 0
    assert predict(tmp_path / "second", [pattern_photo("red", 1)]).shape == (1, 3)


def test_cached_bottlenecks_are_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = make_folder(tmp_path / "photos", photos=10)
    retrain(photos, tmp_path / "first", "--augment", "1")
    from dogid_convert.training import bottlenecks

    def never(*_: object) -> None:
        raise AssertionError("a cached photo was decoded again")

    monkeypatch.setattr(bottlenecks, "decode_complete", never)
    assert retrain(photos, tmp_path / "second", "--augment", "1") == 0
    assert (tmp_path / "first/retrained_graph.pb").read_bytes() == (tmp_path / "second/retrained_graph.pb").read_bytes()


def test_damaged_cached_bottleneck_is_recomputed(plain_run: Run, tmp_path: Path) -> None:
    shutil.copytree(plain_run.cache, tmp_path / "cache")
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:40])

    assert retrain(plain_run.photos, tmp_path / "out") == 0
    graphs = [folder / "retrained_graph.pb" for folder in (plain_run.output, tmp_path / "out")]
    assert graphs[0].read_bytes() == graphs[1].read_bytes()


def test_json_prints_the_report(untidy_run: Run) -> None:
    document = json.loads(untidy_run.stdout)
    assert document == report_of(untidy_run.output)
    assert document["base"]["sha256"]
    assert document["labels"] == ["blue", "red", "single"]
    held = document["held_out"]
    assert sum(map(sum, held["confusion"])) == held["photos"] > 0


def test_table_shows_confusion_matrix(plain_run: Run) -> None:
    assert re.search(r"top-1 \d+\.\d%", plain_run.stdout)
    assert re.search(r"blue +\d+ +\d+ +\d+\.\d%", plain_run.stdout)


def test_group_evaluation_covers_every_photo(photos: Path, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "out", "--group-by", "[^_]+", "--balance-groups", "0.5", "--use-all")

    document = report_of(tmp_path / "out")
    assert document["by_group"]["photos"] == 60
    assert document["photos"]["trained_on"] == 60
    assert document["recipe"]["balance_groups"] == 0.5


def test_former_flag_names_work_and_print_the_new_ones(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    former = [
        "retrain",
        str(photos),
        "--output",
        str(tmp_path / "out"),
        "--importance",
        "red=2",
        "--importance",
        "blue=3",
    ]
    assert main([*former, "--base", str(small_graph()), "--cache", str(tmp_path / "cache")]) == 0

    assert report_of(tmp_path / "out")["recipe"]["class_weight"] == {"red": 2.0, "blue": 3.0}
    messages = capfd.readouterr().err
    assert "--output is now --out;" in messages
    assert "--importance is now --class-weight;" in messages


def test_label_of_one_group_is_named_as_unjudged(photos: Path, tmp_path: Path) -> None:
    make_folder(photos, ("redder",), photos=6)
    for photo in sorted((photos / "redder").iterdir()):
        photo.rename(photo.with_name(f"alone__{photo.name}"))

    assert retrain(photos, tmp_path / "out", "--group-by", "[^_]+") == 0
    document = report_of(tmp_path / "out")
    assert document["by_group"]["unjudged_labels"] == ["redder"]
    assert document["groups_always_trained"] == ["alone"]
    assert "groups that are always trained on and not judged: alone" in document["advice"]
    assert document["by_group"]["recall_95"]["redder"] is None
    assert document["by_group"]["recall_95"]["red"] is not None


def test_prior_multiplies_odds_of_its_label(plain_run: Run, tmp_path: Path) -> None:
    unseen = [pattern_photo("blue", 900), pattern_photo("red", 901)]
    retrain(plain_run.photos, tmp_path / "prior", "--prior", "red=2")

    plain, shifted = predict(plain_run.output, unseen), predict(tmp_path / "prior", unseen)

    odds = (shifted[:, 1] / shifted[:, 0]) / (plain[:, 1] / plain[:, 0])
    np.testing.assert_allclose(odds, 2.0, rtol=1e-2)


def test_one_photo_per_label_gives_a_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = make_folder(tmp_path / "few", photos=1)

    assert retrain(photos, tmp_path / "out", "--fine-tune", "1") == 0

    assert "nothing is known" in capsys.readouterr().err
    assert report_of(tmp_path / "out")["held_out"] is None
    assert not (tmp_path / "out/confusion_matrix.png").exists()


def test_earlier_confusion_matrix_is_removed(plain_run: Run, tmp_path: Path) -> None:
    shutil.copytree(plain_run.output, tmp_path / "out")
    assert (tmp_path / "out/confusion_matrix.png").exists()

    retrain(make_folder(tmp_path / "few", photos=1), tmp_path / "out")

    assert not (tmp_path / "out/confusion_matrix.png").exists()


def test_report_names_the_chosen_head(plain_run: Run) -> None:
    document = report_of(plain_run.output)
    head = document["head"]

    assert head["losses"][head["name"]] == min(head["losses"].values())
    assert head["cross_validated_on"] == document["photos"]["trained_on"]
    assert head["name"] in plain_run.stdout


def test_head_alone_leaves_no_learning_curves(drawn_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/learning_curves.png").touch()

    retrain(drawn_photos, tmp_path / "out")

    assert not (tmp_path / "out/learning_curves.png").exists()
    assert report_of(tmp_path / "out")["learning"] is None


def test_label_whose_photos_look_alike_is_named_as_unjudged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = make_folder(tmp_path / "photos", ("blue", "red"), photos=12)
    (photos / "scene").mkdir()
    for number in range(3):
        (photos / "scene" / f"{number}.jpg").write_bytes(pattern_photo("redder", 99) + bytes([number]))
    out = tmp_path / "out"

    assert main(["retrain", str(photos), "-o", str(out), "--base", str(small_graph()), "--cache", str(tmp_path)]) == 0

    document = json.loads((out / "report.json").read_text())
    assert document["held_out"]["unjudged_labels"] == ["scene"]
    assert {"file": "scene/0.jpg", "photos": 3} in document["near_duplicates"]["always_trained"]
    assert "not judged" in document["held_out"]["split"]
    assert any("no photo of scene is judged" in sentence for sentence in document["advice"])
    assert "over 2 of 3 labels (not scene)" in capsys.readouterr().out
