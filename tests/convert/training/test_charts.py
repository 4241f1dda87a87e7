import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="pictures of a training need matplotlib")

from dogid_convert.training import charts
from tests.convert.training.report_parts import make_evaluation, make_history
from tests.support.daemon import environment


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


@pytest.mark.parametrize("labels", [2, 4, 50, 120])
def test_confusion_matrix_size_follows_label_count(labels: int) -> None:
    image = opened(charts.confusion_matrix([f"label {i}" for i in range(labels)], make_evaluation(labels)))

    assert image.width >= min(labels * 0.33, 27) * 120  # room for a readable number in each cell
    assert image.width <= 3700


def test_confusion_matrix_is_readable_in_greyscale() -> None:
    """The right answers are much darker than the mistakes, those than nothing."""
    pixels = np.asarray(opened(charts.confusion_matrix(["a", "b", "c"], make_evaluation(3))).convert("L")).astype(int)

    greys, counts = np.unique(pixels, return_counts=True)
    patches = greys[counts > 2000]
    assert patches.min() < 90
    assert patches.max() > 240
    assert ((patches > 150) & (patches < 235)).any()


@pytest.mark.parametrize("label", ["$5$ {a}", "犬", "a" * 300, "x_1^2", "%", "&<>"])
def test_any_label_can_be_drawn(label: str, recwarn: pytest.WarningsRecorder) -> None:
    image = opened(charts.confusion_matrix([label, "other"], make_evaluation(2)))

    assert image.width < 1200
    assert not recwarn.list


@pytest.mark.parametrize("unit", ["epoch", "step"])
@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("stopping", [None, {"patience": 3, "stopped": True, "after": 8}])
def test_learning_curves_are_drawn(unit: str, validation: bool, stopping: dict[str, Any] | None) -> None:
    assert opened(charts.learning_curves(make_history(unit, stopping, validation=validation))).width > 1000


def test_one_epoch_is_a_curve_too() -> None:
    learning = make_history()
    learning["epochs"] = learning["epochs"][:1]
    opened(charts.learning_curves(learning))


def test_charts_ignore_the_users_matplotlibrc(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nfont.size: 20\nbackend: TkAgg\n")
    code = (
        "import sys; from dogid_convert.training import charts; "
        "from tests.convert.training.report_parts import make_evaluation, make_history; "
        "sys.stdout.buffer.write(charts.learning_curves(make_history())); "
        "sys.stdout.buffer.write(charts.confusion_matrix(['a', 'b'], make_evaluation(2)))"
    )
    environments = [environment(), environment() | {"MATPLOTLIBRC": str(tmp_path)}]
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, cwd=os.getcwd()).stdout
        for env in environments
    )
    assert first == second
    assert first == charts.learning_curves(make_history()) + charts.confusion_matrix(["a", "b"], make_evaluation(2))
