"""The interpreter of 32-bit Raspberry Pi OS, tflite-runtime: it needs numpy 1, so an environment of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dogid.model.shipped import shipped_model
from tests.model.small_models import LABELS, flat, with_labels
from tests.support.daemon import ROOT, environment
from tests.support.photos import photo

BACKEND = "tflite_runtime.interpreter"
PYTHON = ROOT / ".venv-tflite-runtime" / "bin" / "python"
_NEAR = 0.06  # of a probability: kernels of two libraries round differently
_CLEAR = 0.5 + _NEAR  # above, no other label can be the other library's


@pytest.fixture(scope="module", autouse=True)
def other_environment() -> None:
    """Skip where tflite-runtime has no wheel; where it is missing for another reason the tests fail."""
    python = PYTHON if PYTHON.exists() else Path(sys.executable)
    if _prints(python, "sys.version_info >= (3, 12) and importlib.util.find_spec('tflite_runtime') is None"):
        pytest.skip("tflite-runtime has no wheel for Python 3.12 and later")
    assert PYTHON.exists(), f"`make {PYTHON.parents[1].name}/.installed` (or `make test`) installs tflite-runtime"


def _prints(python: Path, condition: str) -> bool:
    code = f"import importlib.util, sys; print({condition})"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "True"


def asked(python: str | Path, *args: str, backend: str | None = None) -> dict[str, Any]:
    """Run `dogid ARGS... --json` with that Python; return its document."""
    chosen = {"DOGID_BACKEND": backend} if backend else {}
    done = subprocess.run(
        [python, "-m", "dogid", *args, "--json"],
        env={**environment(), **chosen},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def agree(model: Path, photos: Path) -> list[dict[str, float]]:
    """Ask both libraries; return the usual one's scores of each photo where the other one's are near."""
    args = ("classify", str(photos), "--model", str(model))
    usual = asked(sys.executable, *args)["results"]
    other = asked(PYTHON, *args, backend=BACKEND)["results"]

    assert [result["file"] for result in other] == [result["file"] for result in usual]
    for one, two in zip(usual, other, strict=True):
        assert two["scores"] == pytest.approx(one["scores"], abs=_NEAR), one["file"]
        if one["score"] > _CLEAR:
            assert two["label"] == one["label"], one["file"]
    return [dict(result["scores"]) for result in usual]


def test_the_shipped_model_answers_alike_with_both_libraries(tmp_path: Path) -> None:
    for seed in range(20):
        (tmp_path / f"{seed}.jpg").write_bytes(photo(seed))

    assert len(agree(shipped_model(), tmp_path)) == 20


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_varied_scores_agree_between_backends(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from PIL import Image

    model = with_labels(request.getfixturevalue(f"{kind}_model"), tmp_path / "model.tflite")
    (tmp_path / "photos").mkdir()
    for seed, colour in enumerate(np.random.default_rng(0).integers(0, 256, (30, 3))):
        Image.fromarray(flat(tuple(colour))).save(tmp_path / "photos" / f"{seed}.png")

    scores = agree(model, tmp_path / "photos")

    for label in LABELS:
        assert min(one[label] for one in scores) < 0.1 < 0.9 < max(one[label] for one in scores)


def test_shipped_model_passes_self_test_with_other_backend() -> None:
    shown = asked(PYTHON, "model", "show", str(shipped_model()), backend=BACKEND)

    assert shown["backend"] == BACKEND
    assert shown["checked"]["golden_photo"].startswith("expected scores")
