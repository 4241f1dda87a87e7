"""Retrained graphs by other people, where they are at hand."""

# what needs TensorFlow is imported only where it is installed

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.cli import main
from dogid.dataset.labelled_photos import find_photos
from dogid.model.classifier import load_model
from dogid_convert.conversion.photo_sets import interleave_labels
from tests.support.collection import GRAPHS, PHOTOS, needs

pytestmark = needs(GRAPHS, PHOTOS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    found = find_photos(PHOTOS)
    for photo in interleave_labels(found.photos)[:400]:
        target = folder / found.labels[photo.label] / photo.path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(photo.read())
    return folder


@pytest.mark.parametrize("name", ["retrained_graph.pb", "optimized_graph.pb"])
def test_codelabs_graphs_convert_and_agree(name: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.tflite"
    labels = GRAPHS / "retrained_labels.txt"
    flags = ["--labels", str(labels), "--calibrate", str(photos), "--min-agreement", "0.97"]
    assert main(["convert", str(GRAPHS / name), "-o", str(out), *flags]) == 0
    loaded = load_model(out)
    assert loaded.size == (128, 128)
    assert loaded.labels == tuple(labels.read_text().splitlines())
    assert np.isfinite(loaded.classifier().classify(np.zeros((128, 128, 3), dtype=np.uint8))).all()
