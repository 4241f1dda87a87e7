import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="pictures of a training need matplotlib")

from dogid_convert.training import charts
from tests.convert.training.report_parts import make_history
from tests.support.daemon import environment


def test_curves_of_training_and_validation_have_a_point_per_epoch() -> None:
    history = make_history()
    history["epochs"][3]["validation"] = {"loss": 0.9, "accuracy": 0.7}
    axes = charts.plot_learning_curves(history).axes

    points = {
        (axis.get_title("left").split()[0], str(line.get_label())): np.asarray(line.get_xydata()).tolist()
        for axis in axes
        for line in axis.lines
    }
    assert points == {
        ("loss", "training"): [[1, 0.5], [2, 0.5], [3, 0.5], [5, 0.5], [8, 0.5]],
        ("loss", "validation"): [[1, 0.5], [2, 0.5], [3, 0.5], [5, 0.9], [8, 0.5]],
        ("top-1", "training"): [[1, 0.8], [2, 0.8], [3, 0.8], [5, 0.8], [8, 0.8]],
        ("top-1", "validation"): [[1, 0.8], [2, 0.8], [3, 0.8], [5, 0.7], [8, 0.8]],
    }


def test_kept_epoch_is_marked_after_early_stopping() -> None:
    stopping = {"patience": 3, "stopped": True, "after": 8}
    for axis in charts.plot_learning_curves(make_history(stopping)).axes:
        mark = axis.lines[-1]
        assert mark.get_label() == "kept: epoch 2"
        assert np.asarray(mark.get_xdata()).tolist() == [2, 2]


def test_without_validation_there_is_one_curve() -> None:
    for axis in charts.plot_learning_curves(make_history(validation=False)).axes:
        assert [line.get_label() for line in axis.lines] == ["training"]


def test_learning_curves_are_a_png_even_of_one_epoch() -> None:
    history = make_history()
    history["epochs"] = history["epochs"][:1]
    image = Image.open(io.BytesIO(charts.draw_learning_curves(history)))
    image.load()
    assert image.format == "PNG"


def test_charts_ignore_the_users_matplotlibrc(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nfont.size: 20\nbackend: TkAgg\n")
    code = (
        "import sys; from dogid_convert.training import charts; "
        "from tests.convert.training.report_parts import make_history; "
        "sys.stdout.buffer.write(charts.draw_learning_curves(make_history()))"
    )
    environments = [environment(), environment() | {"MATPLOTLIBRC": str(tmp_path)}]
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, cwd=os.getcwd()).stdout
        for env in environments
    )
    assert first == second
    assert first == charts.draw_learning_curves(make_history())
