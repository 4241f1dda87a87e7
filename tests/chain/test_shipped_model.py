"""The shipped model on real photos, where the collection that it was trained on lies beside the clone.

How good it is on photos from elsewhere is in models/README.md; this only finds a broken model or decoder.
"""

import json

import pytest

from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from tests.support.collection import PHOTOS, needs
from tests.support.daemon import ROOT, dogid

LABELS = ("dachshund", "other", "poodle", "pug")
_EACH = 25


def test_shipped_model_has_labels_and_golden_photo() -> None:
    model = load_model(shipped_model())

    assert sorted(model.labels) == sorted(LABELS)
    assert model.file.golden is not None


def test_shipped_files_are_small() -> None:
    assert shipped_model().stat().st_size <= 5_000_000
    assert (ROOT / "models" / "retrained_graph.pb").stat().st_size <= 20_000_000


@needs(PHOTOS)
@pytest.mark.parametrize("label", LABELS)
def test_training_photos_get_their_label(label: str) -> None:
    photos = sorted((PHOTOS / label).iterdir())[:: max(1, len(list((PHOTOS / label).iterdir())) // _EACH)]

    done = dogid("classify", "--json", *map(str, photos))

    found = [result["label"] for result in json.loads(done.stdout)["results"]]
    assert found.count(label) >= 0.9 * len(found)
