"""Several bases are compared by cross-validation, and the better one is kept."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.cli import main
from dogid.errors import UsageError
from dogid_convert.training import base_names
from dogid_convert.training.base_choice import predict_by_best_of_others
from dogid_convert.training.group_folds import ALWAYS_TRAINED
from dogid_convert.training.holdout import HeldOutPredictions
from tests.convert.training_material import blind_graph, make_folder, small_graph

IMAGENET, SHIPPED = "imagenet_base.pb", "retrained_graph.pb"


@pytest.mark.parametrize(
    ("worse", "better", "flags"),
    [(SHIPPED, IMAGENET, []), (IMAGENET, SHIPPED, ["--fine-tune", "1", "--epochs", "1", "--base", "auto"])],
)
def test_base_with_the_lower_loss_is_kept(
    worse: str,
    better: str,
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bases = tmp_path / "dogid"
    bases.mkdir()
    blind_graph(bases / worse)
    shutil.copy(small_graph(), bases / better)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(base_names, "__file__", str(tmp_path / "a" / "b" / "c.py"))  # else those of the source tree
    photos = make_folder(tmp_path / "photos", photos=12)
    (photos / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")

    assert main(["retrain", str(photos), "-o", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), *flags]) == 0

    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert document["base"]["name"] == better
    losses = {base["name"]: base["loss"] for base in document["bases"]}
    assert list(losses) == [IMAGENET, SHIPPED]
    assert losses[worse] > losses[better]
    assert document["photos"]["unreadable"] == 1
    printed = capsys.readouterr()
    assert printed.err.count("broken.jpg") == 1
    assert ("the base chosen for each fold by the others" in document["held_out"]["split"]) == (not flags)
    assert f"base: {better}, the best by cross-validation (loss: {IMAGENET}" in printed.out


def test_environment_names_the_default_base_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("imagenet_base.pb", "retrained_graph.pb"):
        (tmp_path / "dogid").mkdir(exist_ok=True)
        (tmp_path / "dogid" / name).touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DOGID_BASE", "shipped")

    (default,) = base_names.find_bases(None)
    assert Path(default).name == "retrained_graph.pb"
    assert len(base_names.find_bases("auto")) == 2
    (tmp_path / "other.pb").touch()
    assert base_names.find_bases(str(tmp_path / "other.pb")) == (str(tmp_path / "other.pb"),)
    with pytest.raises(UsageError, match=r"nowhere.pb: no such file or folder, and none of auto, imagenet, shipped"):
        base_names.find_bases("nowhere.pb")


def test_figures_are_by_bases_chosen_on_other_folds() -> None:
    labels, folds = np.array([0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, ALWAYS_TRAINED])
    judged = folds != ALWAYS_TRAINED
    sure, unsure = np.array([0.5, -0.5], np.float32), np.array([0.1, -0.1], np.float32)

    def predict(margins: list[NDArray[np.float32]], temperature: float) -> HeldOutPredictions:
        return HeldOutPredictions("5 folds", np.array(margins), np.full(4, temperature), judged)

    lucky = predict([sure, -sure, unsure, unsure], 1.0)  # right in the first fold alone
    steady = predict([unsure, -unsure, unsure, -unsure], 2.0)

    honest = predict_by_best_of_others(lucky, [steady], labels, folds)

    assert honest.logits.tolist() == [*steady.logits[:2].tolist(), *lucky.logits[2:].tolist()]
    assert honest.temperatures.tolist() == [2, 2, 1, 1]
    assert "for 1 of them another one" in honest.split
    alone = predict_by_best_of_others(lucky, [], labels, folds)
    assert alone.logits.tolist() == lucky.logits.tolist()
