"""Fine-tuning and early stopping by `dogid retrain`."""

import re
from pathlib import Path

import numpy as np

from tests.convert.training_material import make_folder, small_backbone
from tests.convert.training_runs import Run, report_of, retrain


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_same_photos_and_seed_give_same_bytes(plain_run: Run, drawn_photos: Path, tmp_path: Path) -> None:
    assert retrain(drawn_photos, tmp_path / "out") == 0  # with a cache of its own: nothing is taken over

    assert read_files(tmp_path / "out") == read_files(plain_run.output)


def test_fine_tuned_graph_depends_on_nothing_but_the_seed(tmp_path: Path) -> None:
    photos = make_folder(tmp_path / "photos", photos=10)
    flags = ("--augment", "1", "--fine-tune", "1", "--epochs", "1")
    first, second, other = (tmp_path / name / "out" for name in ("first", "second", "other"))
    for out, seed in ((first, 7), (second, 7), (other, 8)):
        assert retrain(photos, out, *flags, "--seed", str(seed)) == 0

    assert read_files(first) == read_files(second)
    assert "learning_curves.png" in read_files(first)
    assert read_files(first)["retrained_graph.pb"] != read_files(other)["retrained_graph.pb"]


def test_fine_tuning_moves_the_last_convolutions_only(noisy_photos: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    from dogid_convert.graph import surgery

    retrain(noisy_photos, tmp_path / "out", "--fine-tune", "2", "--epochs", "100")

    before = surgery.index_nodes(small_backbone().graph)
    after = tf.compat.v1.GraphDef.FromString((tmp_path / "out/retrained_graph.pb").read_bytes())
    moved = {
        node.name: np.abs(np.subtract(surgery.read_constant(node), surgery.read_constant(before[node.name]))).max()
        for node in after.node
        if node.op == "Const" and node.name in before
    }
    # MobileNet's last depthwise and pointwise convolution, and their biases
    last = {name: distance for name, distance in moved.items() if "13" in name}
    assert len(last) == 4
    assert all(distance > 1e-3 for distance in last.values())
    assert not any(distance for name, distance in moved.items() if name not in last)


def test_early_stopping_keeps_best_epoch(stopped_run: Run) -> None:
    document = report_of(stopped_run.output)
    learning = document["learning"]
    losses = [epoch["validation"]["loss"] for epoch in learning["epochs"]]
    assert learning["unit"] == "epoch"
    assert learning["kept"] == losses.index(min(losses))
    assert learning["early_stopping"]["patience"] == 1
    counts = document["photos"]
    assert counts["trained_on"] + counts["stopped_by"] + document["held_out"]["photos"] == 72
    assert re.search("(training|fine-tuning) (stopped after|went on).* on validation photos", stopped_run.stdout)


def test_use_all_trains_on_all_after_early_stopping(stopped_run: Run, tmp_path: Path) -> None:
    flags = ("--fine-tune", "2", "--epochs", "60", "--patience", "1")
    retrain(stopped_run.photos, tmp_path / "all", *flags, "--use-all")

    stopped, final = report_of(stopped_run.output), report_of(tmp_path / "all")
    assert stopped["learning"] == final["learning"]
    assert stopped["held_out"]["confusion"] == final["held_out"]["confusion"]
    assert final["photos"]["trained_on"] == 72


def test_given_epochs_disable_early_stopping(drawn_photos: Path, tmp_path: Path) -> None:
    retrain(drawn_photos, tmp_path / "out", "--fine-tune", "1", "--epochs", "3")

    document = report_of(tmp_path / "out")
    assert document["learning"]["early_stopping"] is None
    assert [epoch["epoch"] for epoch in document["learning"]["epochs"]] == [0, 1, 2, 3]
    assert document["photos"]["stopped_by"] == 0
