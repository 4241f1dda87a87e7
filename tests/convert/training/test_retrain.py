import contextlib
import io
import json
import os
import re
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.cli import main
from dogid_convert.data import manifest
from dogid_convert.training.splits import is_held_out
from tests.convert.training_material import SIDE, make_folder, pattern_photo, small_graph


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "photos")


@pytest.fixture
def noisy_photos(photos: Path) -> Path:
    """Photos of which a few are under the wrong label: no training ever gets them all right."""
    for number in range(60, 72):
        (photos / "red" / f"wrong{number}.jpg").write_bytes(pattern_photo("blue", number))
    return photos


def retrain(photos: Path, output: Path, *flags: str, base: Path | None = None) -> int:
    cache = str(output.parent / "cache")
    return main(
        ["retrain", str(photos), "-o", str(output), "--base", str(base or small_graph()), "--cache", cache, *flags]
    )


@dataclass(frozen=True)
class Run:
    """A training without further flags, shared by tests that only read its results."""

    photos: Path
    output: Path
    cache: Path
    table: str


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("plain")
    photos = make_folder(folder / "photos")
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        assert retrain(photos, folder / "out") == 0
    return Run(photos, folder / "out", folder / "cache", stdout.getvalue())


def report_of(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "report.json").read_text()))


def test_retrain_writes_graph_labels_and_reports(plain_run: Run) -> None:
    out = plain_run.output
    assert {path.name for path in out.iterdir()} == {
        "retrained_graph.pb",
        "retrained_labels.txt",
        "report.json",
        "manifest.json",
        "learning_curves.png",
        "confusion_matrix.png",
    }
    assert (out / "retrained_labels.txt").read_text() == "blue\nred\n"
    assert report_of(out)["photos"]["per_label"] == {"blue": 30, "red": 30}


def test_graph_predicts_labels_of_unseen_photos(plain_run: Run) -> None:
    unseen = [pattern_photo("blue", 900), pattern_photo("red", 901)]
    assert predict(plain_run.output, unseen).argmax(axis=1).tolist() == [0, 1]


def predict(output: Path, photos: list[bytes]) -> NDArray[np.float32]:
    import tensorflow as tf

    from dogid.photo.decode import decode

    graph = tf.compat.v1.GraphDef.FromString((output / "retrained_graph.pb").read_bytes())
    pixels = np.stack([(decode(photo, (SIDE, SIDE)).pixels.astype(np.float32) - 128) / 128 for photo in photos])
    function = tf.compat.v1.wrap_function(
        lambda x: tf.import_graph_def(graph, {"input:0": x}, ["final_result:0"], name=""),
        [tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)],
    )
    return np.asarray(function(tf.constant(pixels))[0])


@pytest.mark.parametrize("flags", [[], ["--augment", "2", "--fine-tune", "2", "--epochs", "2", "--seed", "7"]])
def test_same_photos_and_seed_give_same_bytes(photos: Path, tmp_path: Path, flags: list[str]) -> None:
    first, second = tmp_path / "a" / "out", tmp_path / "b" / "out"
    for out in (first, second):  # two caches: nothing is taken over
        assert retrain(photos, out, *flags) == 0

    for name in ("retrained_graph.pb", "report.json", "manifest.json", "learning_curves.png", "confusion_matrix.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_fine_tuned_graph_depends_on_the_seed(photos: Path, tmp_path: Path) -> None:
    flags = ("--augment", "1", "--fine-tune", "1", "--epochs", "1")
    retrain(photos, tmp_path / "a", *flags, "--seed", "1")
    retrain(photos, tmp_path / "b", *flags, "--seed", "2")

    assert (tmp_path / "a/retrained_graph.pb").read_bytes() != (tmp_path / "b/retrained_graph.pb").read_bytes()


def test_fine_tuning_moves_the_last_convolutions_only(noisy_photos: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    from dogid_convert.graph import surgery
    from dogid_convert.training import base_network

    retrain(noisy_photos, tmp_path / "out", "--fine-tune", "2", "--epochs", "100")

    before = surgery.index_nodes(base_network.load(str(small_graph())).graph)
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


def test_retrained_graph_can_be_retrained(plain_run: Run, tmp_path: Path) -> None:
    again = make_folder(tmp_path / "others", ("blue", "red", "redder"), photos=15)

    assert retrain(again, tmp_path / "second", base=plain_run.output / "retrained_graph.pb") == 0
    assert predict(tmp_path / "second", [pattern_photo("red", 1)]).shape == (1, 3)


def test_cached_bottlenecks_are_reused(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_unreadable_photos_are_named_skipped_and_counted(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (photos / "red" / "broken.jpg").write_bytes(pattern_photo("red", 5)[:300])
    (photos / "blue" / "notes.txt").write_text("no photo")
    (photos / "red" / "closed.jpg").write_bytes(pattern_photo("red", 6)[:-300] + b"\xff\xd9")
    (photos / "red" / "doubtful.jpg").write_bytes(pattern_photo("red", 7)[:-2])
    (photos / "red" / "copy.jpg").write_bytes((photos / "blue" / "cam0__000.jpg").read_bytes())

    assert retrain(photos, tmp_path / "out") == 0

    messages = capfd.readouterr().err
    assert "broken.jpg" in messages
    assert "closed.jpg" in messages
    assert "doubtful.jpg" in messages
    assert "notes.txt" in messages
    assert "the same photo is under two labels" in messages
    found = report_of(tmp_path / "out")["photos"]
    assert found["unreadable"] == 4
    assert found["conflicting_labels"] == [["blue/cam0__000.jpg", "red/copy.jpg"]]
    assert found["per_label"] == {"blue": 29, "red": 30}


def test_too_many_unreadable_photos_are_an_error(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        (photos / "red" / f"broken{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes([number]))

    assert retrain(photos, tmp_path / "out") == 1
    assert "30 of 90 photos" in capfd.readouterr().err
    assert not (tmp_path / "out" / "retrained_graph.pb").exists()


def test_json_prints_the_report(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retrain(photos, tmp_path / "out", "--json")

    document = json.loads(capsys.readouterr().out)
    assert document == report_of(tmp_path / "out")
    assert document["base"]["sha256"]
    assert document["labels"] == ["blue", "red"]
    held = document["held_out"]
    assert sum(map(sum, held["confusion"])) == held["photos"] > 0


def test_table_shows_confusion_matrix(plain_run: Run) -> None:
    assert re.search(r"top-1 \d+\.\d%", plain_run.table)
    assert re.search(r"blue +\d+ +\d+ +\d+\.\d%", plain_run.table)


def test_group_evaluation_covers_every_photo(photos: Path, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "out", "--group-by", "[^_]+", "--use-all")

    document = report_of(tmp_path / "out")
    assert document["by_group"]["photos"] == 60
    assert document["photos"]["trained_on"] == 60


@pytest.mark.parametrize(
    "flags", [["--seed", "-1"], ["--size", "5"], ["--class-weight", "red"], ["--group-by", "("], ["--epochs", "0"]]
)
def test_wrong_flags_are_wrong_usage(photos: Path, tmp_path: Path, flags: list[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        retrain(photos, tmp_path / "out", *flags)
    assert leaving.value.code == 2


def test_class_weight_of_unknown_label_is_wrong_usage(photos: Path, tmp_path: Path) -> None:
    assert retrain(photos, tmp_path / "out", "--class-weight", "green=2") == 2


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

    assert report_of(tmp_path / "out")["recipe"]["importance"] == {"red": 2.0, "blue": 3.0}
    messages = capfd.readouterr().err
    assert "--output is now --out;" in messages
    assert "--importance is now --class-weight;" in messages


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


def test_label_of_one_group_is_predicted_without_training_on_it(photos: Path, tmp_path: Path) -> None:
    make_folder(photos, ("redder",), photos=6)
    for photo in sorted((photos / "redder").iterdir()):
        photo.rename(photo.with_name(f"alone__{photo.name}"))

    assert retrain(photos, tmp_path / "out", "--group-by", "[^_]+") == 0
    assert report_of(tmp_path / "out")["by_group"]["recall"]["redder"] == 0.0


def test_output_that_is_a_file_is_wrong_usage(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    assert retrain(photos, tmp_path / "out") == 2


def test_prior_multiplies_odds_of_its_label(plain_run: Run, tmp_path: Path) -> None:
    unseen = [pattern_photo("blue", 900), pattern_photo("red", 901)]
    retrain(plain_run.photos, tmp_path / "prior", "--prior", "red=2")

    plain, shifted = predict(plain_run.output, unseen), predict(tmp_path / "prior", unseen)

    odds = (shifted[:, 1] / shifted[:, 0]) / (plain[:, 1] / plain[:, 0])
    np.testing.assert_allclose(odds, 2.0, rtol=1e-2)


def test_early_stopping_keeps_best_epoch(
    noisy_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    retrain(noisy_photos, tmp_path / "out", "--fine-tune", "2", "--epochs", "60", "--patience", "2")

    document = report_of(tmp_path / "out")
    learning = document["learning"]
    losses = [epoch["validation"]["loss"] for epoch in learning["epochs"]]
    assert learning["unit"] == "epoch"
    assert learning["kept"] == losses.index(min(losses))
    assert learning["early_stopping"]["patience"] == 2
    counts = document["photos"]
    assert counts["trained_on"] + counts["stopped_by"] + document["held_out"]["photos"] == 72
    assert re.search("(training|fine-tuning) (stopped after|went on).* on validation photos", capsys.readouterr().out)


def test_use_all_trains_on_all_after_early_stopping(noisy_photos: Path, tmp_path: Path) -> None:
    flags = ("--fine-tune", "2", "--epochs", "60", "--patience", "1")
    retrain(noisy_photos, tmp_path / "stopped", *flags)
    retrain(noisy_photos, tmp_path / "all", *flags, "--use-all")

    stopped, final = report_of(tmp_path / "stopped"), report_of(tmp_path / "all")
    assert stopped["learning"] == final["learning"]
    assert stopped["held_out"]["confusion"] == final["held_out"]["confusion"]
    assert final["photos"]["trained_on"] == 72


def test_given_epochs_disable_early_stopping(photos: Path, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "out", "--fine-tune", "1", "--epochs", "3")

    document = report_of(tmp_path / "out")
    assert document["learning"]["early_stopping"] is None
    assert [epoch["epoch"] for epoch in document["learning"]["epochs"]] == [0, 1, 2, 3]
    assert document["photos"]["stopped_by"] == 0


def test_softmax_layer_alone_can_be_stopped_early(plain_run: Run, tmp_path: Path) -> None:
    retrain(plain_run.photos, tmp_path / "stopped", "--patience", "1")

    plain, stopped = (report_of(output)["learning"] for output in (plain_run.output, tmp_path / "stopped"))
    assert plain["unit"] == "step"
    assert plain["kept"] == plain["epochs"][-1]["epoch"]
    assert stopped["early_stopping"]["patience"] == 1
    assert stopped["kept"] <= plain["kept"]


def test_report_names_data_version_and_skipped_files(photos: Path, tmp_path: Path) -> None:
    (photos / "red" / "broken.jpg").write_bytes(pattern_photo("red", 5)[:300])
    retrain(photos, tmp_path / "out")

    document, found = report_of(tmp_path / "out"), manifest.load(tmp_path / "out")
    assert document["data"]["version"] == found.version == manifest.load(photos).version
    assert document["graph"]["sha256"] == sha256((tmp_path / "out/retrained_graph.pb").read_bytes()).hexdigest()
    (broken,) = (entry for entry in found.entries if entry.error)
    assert broken.file == "red/broken.jpg"
    assert document["photos"]["skipped"] == [{"file": "red/broken.jpg", "reason": broken.error}]
    assert found.counts() == document["photos"]["per_label"]


def test_only_photo_of_a_label_is_trained_on(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "single").mkdir()
    number = next(n for n in range(1000) if is_held_out(sha256(pattern_photo("single", n)).hexdigest()))
    (photos / "single" / "1.jpg").write_bytes(pattern_photo("single", number))

    assert retrain(photos, tmp_path / "out") == 0

    assert "single has 1 photo only" in capsys.readouterr().err
    document = report_of(tmp_path / "out")
    assert document["held_out"]["photos"] > 0
    assert document["held_out"]["recall"]["single"] is None


def test_one_photo_per_label_gives_a_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = make_folder(tmp_path / "few", photos=1)

    assert retrain(photos, tmp_path / "out", "--fine-tune", "1") == 0

    assert "nothing is judged" in capsys.readouterr().err
    assert report_of(tmp_path / "out")["held_out"] is None
    assert not (tmp_path / "out/confusion_matrix.png").exists()


def test_earlier_confusion_matrix_is_removed(photos: Path, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "out")
    assert (tmp_path / "out/confusion_matrix.png").exists()

    retrain(make_folder(tmp_path / "few", photos=1), tmp_path / "out")

    assert not (tmp_path / "out/confusion_matrix.png").exists()


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


def test_photos_without_a_label_are_reported(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "lost.jpg").write_bytes(pattern_photo("red", 1))
    assert retrain(photos, tmp_path / "out") == 0
    assert "1 files in" in capsys.readouterr().err


def test_too_little_memory_error_names_the_flags(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dogid_convert.training.bottlenecks.free_memory", lambda: 10_000)
    assert retrain(photos, tmp_path / "out") == 1
    assert "--augment" in capsys.readouterr().err
