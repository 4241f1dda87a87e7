"""Other people's readers understand our model files."""

# ruff: noqa: E402  # what needs TensorFlow is imported only where it is installed

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")
mediapipe = pytest.importorskip("mediapipe", reason="mediapipe has no wheel for this Python or machine")

from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

from dogid.cli import main
from dogid.model.classifier import load_model
from dogid.model.golden_photo import generate_image
from tests.convert.small_graphs import LABELS, make_workspace


@pytest.mark.parametrize(
    "flags",
    [
        ["--dtype", "int8"],
        ["--dtype", "float32"],
        ["--output-type", "uint8"],
        ["--input-type", "float32", "--output-type", "uint8"],
    ],
    ids="_".join,
)
def test_mediapipe_gives_the_same_scores(flags: list[str], tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    out = tmp_path / "model.tflite"
    rough = ["--min-agreement", "0.9"]  # the smallest of networks, rounded to 1/256, on 30 photos
    # with a mean of 127.5 float pixels lie just between two int8 levels, and each program may take another
    rough += ["--mean", "128", "--std", "128"]
    assert (
        main(["convert", str(workspace.graph), "-o", str(out), *flags, "--calibrate", str(workspace.photos), *rough])
        == 0
    )
    ours = load_model(out)
    classifier = ours.classifier()
    options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=str(out)))
    with vision.ImageClassifier.create_from_options(options) as theirs:
        for seed in range(5):
            pixels = generate_image(ours.size, seed)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
            [found] = theirs.classify(image).classifications
            scores = {category.category_name: category.score for category in found.categories}
            assert set(scores) == set(LABELS)
            np.testing.assert_allclose([scores[label] for label in LABELS], classifier.classify(pixels), atol=2 / 256)
