import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="pictures of a training need matplotlib")

from dogid_convert.training import charts
from tests.convert.training.report_parts import make_history
from tests.support.daemon import environment


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


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
        "from tests.convert.training.report_parts import make_history; "
        "sys.stdout.buffer.write(charts.learning_curves(make_history()))"
    )
    environments = [environment(), environment() | {"MATPLOTLIBRC": str(tmp_path)}]
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, cwd=os.getcwd()).stdout
        for env in environments
    )
    assert first == second
    assert first == charts.learning_curves(make_history())
