"""The shipped model on real photos, where the collection that it was trained on lies beside the clone."""

import json
import os
from pathlib import Path

import pytest

from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from tests.support.daemon import ROOT, dogid

LABELS = ("dachshund", "other", "poodle", "pug")
SHARED = Path(os.environ.get("DOGID_SHARED", ROOT.parent / "shared"))
PHOTOS = SHARED / "photos" / "train"
_EACH = 25

needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the photo collection is not at {PHOTOS}")


def test_it_knows_its_labels_and_proves_itself() -> None:
    model = load_model(shipped_model())

    assert sorted(model.labels) == sorted(LABELS)
    assert model.file.golden is not None


def test_it_is_small_enough_to_ship() -> None:
    assert shipped_model().stat().st_size <= 5_000_000
    assert (ROOT / "models" / "retrained_graph.pb").stat().st_size <= 20_000_000


@needs_photos
@pytest.mark.parametrize("label", LABELS)
def test_photos_get_their_label(label: str) -> None:
    photos = sorted((PHOTOS / label).iterdir())[:: max(1, len(list((PHOTOS / label).iterdir())) // _EACH)]

    done = dogid("classify", "--json", *map(str, photos))

    found = [result["label"] for result in json.loads(done.stdout)["results"]]
    assert found.count(label) >= 0.95 * len(found)
