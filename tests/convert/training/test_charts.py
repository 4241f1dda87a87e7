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
from tests.convert.training.report_parts import judged, learned
from tests.support.daemon import environment


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


@pytest.mark.parametrize("labels", [2, 4, 50, 120])
def test_the_confusion_matrix_grows_with_the_labels_and_stays_a_picture(labels: int) -> None:
    image = opened(charts.confusion_matrix([f"label {i}" for i in range(labels)], judged(labels)))

    assert image.width >= min(labels * 0.33, 27) * 120  # room for a readable number in each cell
    assert image.width <= 3700


def test_its_colours_are_told_apart_without_colour() -> None:
    """The right answers are much darker than the mistakes, those than nothing."""
    pixels = np.asarray(opened(charts.confusion_matrix(["a", "b", "c"], judged(3))).convert("L")).astype(int)

    greys, counts = np.unique(pixels, return_counts=True)
    patches = greys[counts > 2000]
    assert patches.min() < 90
    assert patches.max() > 240
    assert ((patches > 150) & (patches < 235)).any()


@pytest.mark.parametrize("label", ["$5$ {a}", "犬", "a" * 300, "x_1^2", "%", "&<>"])
def test_any_label_can_be_drawn(label: str, recwarn: pytest.WarningsRecorder) -> None:
    image = opened(charts.confusion_matrix([label, "other"], judged(2)))

    assert image.width < 1200
    assert not recwarn.list


@pytest.mark.parametrize("unit", ["epoch", "step"])
@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("stopping", [None, {"patience": 3, "stopped": True, "after": 8}])
def test_learning_curves_are_drawn(unit: str, validation: bool, stopping: dict[str, Any] | None) -> None:
    assert opened(charts.learning_curves(learned(unit, stopping, validation=validation))).width > 1000


def test_one_epoch_is_a_curve_too() -> None:
    learning = learned()
    learning["epochs"] = learning["epochs"][:1]
    opened(charts.learning_curves(learning))


def test_the_same_report_gives_the_same_bytes_whatever_the_users_settings(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nfont.size: 20\nbackend: TkAgg\n")
    code = (
        "import sys; from dogid_convert.training import charts; "
        "from tests.convert.training.report_parts import judged, learned; "
        "sys.stdout.buffer.write(charts.learning_curves(learned()) + charts.confusion_matrix(['a', 'b'], judged(2)))"
    )
    environments = [environment(), environment() | {"MATPLOTLIBRC": str(tmp_path)}]
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, cwd=os.getcwd()).stdout
        for env in environments
    )
    assert first == second
    assert first == charts.learning_curves(learned()) + charts.confusion_matrix(["a", "b"], judged(2))
