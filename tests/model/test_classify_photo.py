"""A model that fails on some photos only: each of those is reported, as a fault that is not the photo's."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.model.classifier import load_model
from dogid.model.classify_photo import classify_photo
from tests.model.foreign_models import means, model_of, packed
from tests.support.daemon import dogid
from tests.support.photos import put

tf = pytest.importorskip("tensorflow", reason="the model is made by TensorFlow")


@pytest.fixture(scope="module")
def nan_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that returns NaN for dark photos."""
    folder = tmp_path_factory.mktemp("model")
    model = model_of(lambda image: tf.sqrt(means(image)))
    return packed(model, folder / "model.tflite", labels_txt="red\ngreen\nblue\n")


def flat_photo(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), (grey, grey, grey)).save(stream, "PNG")
    return stream.getvalue()


def test_nan_scores_are_an_internal_error(nan_model: Path) -> None:
    classifier = load_model(nan_model).classifier()

    assert classify_photo(flat_photo(255), classifier).best()
    with pytest.raises(PhotoError) as failure:
        classify_photo(flat_photo(0), classifier)
    assert failure.value.code is PhotoCode.INTERNAL


def test_classify_reports_internal_errors_and_goes_on(nan_model: Path, tmp_path: Path) -> None:
    photos = [put(tmp_path / "dark.png", flat_photo(0)), put(tmp_path / "light.png", flat_photo(255))]
    done = dogid("classify", "--json", "--model", str(nan_model), *map(str, photos))
    dark, light = json.loads(done.stdout)["results"]

    assert done.returncode == 1
    assert dark["error"]["code"] == "internal"
    assert light["status"] == "classified"
