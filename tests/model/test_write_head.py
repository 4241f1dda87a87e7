"""A new last layer makes a complete model file of its parent, with the same network."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dogid.model.classifier import Model, load_model
from dogid.model.head import Head, read_head
from dogid.model.model_file import InputOptions
from dogid.model.shipped import shipped_model
from dogid.model.training_embeddings import TrainingEmbeddings, read_embeddings
from dogid.model.write_head import NewModel, UnwritableModelError, WrittenModel, write_head
from dogid.preprocessing import BGR, CAFFE
from tests.model.foreign_models import means, model_of, noise, packed, sigmoid_of_red
from tests.support.collection import MODELS, needs

CORRECTIONS = ("ab" * 32, "cd" * 32)


def sigmoids(image: Any) -> Any:
    """Three labels, of which any number may fit."""
    import tensorflow as tf

    return tf.sigmoid(means(image))


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_model(shipped_model(), embeddings=True)


def with_more_labels(model: Model, embeddings: TrainingEmbeddings | None, *more: str) -> NewModel:
    """The model's own last layer with further, random labels."""
    head, random = read_head(model.file.data), np.random.default_rng(7)
    width = head.weights.shape[1]
    rows, bias = random.normal(0, 0.05, (len(more), width)), random.normal(0, 1, len(more))
    grown = Head(np.vstack([head.weights, rows]).astype("f4"), np.concatenate([head.bias, bias]).astype("f4"))
    return NewModel(grown, (*model.labels, *more), embeddings, CORRECTIONS, "dogid learn")


def check_written(written: WrittenModel, parent: Model, new: NewModel) -> Model:
    """Compare the written model's answers with the head's to the parent's embeddings."""
    loaded = load_model(written.path, embeddings=True)
    before, after = parent.classifier(), loaded.classifier()

    assert parent.file.network is not None
    assert loaded.file.network is not None
    assert loaded.file.network.sha256 == parent.file.network.sha256 == written.network
    assert (loaded.labels, loaded.file.sha256) == (new.labels, written.sha256)
    for pixels in noise(parent.size, 3):
        before.classify(pixels)
        scores = after.classify(pixels)
        raw = before.read_embedding()
        assert raw is not None
        assert after.read_embedding() == raw
        assert scores == pytest.approx(new.head.scores(parent.file.network.read_embeddings([raw]))[0], abs=1e-5)
    return loaded


def test_shipped_model_gets_new_labels_and_keeps_all_else(shipped: Model, tmp_path: Path) -> None:
    embeddings = read_embeddings(shipped_model())
    assert embeddings is not None
    kept = replace(embeddings, embeddings=embeddings.embeddings[::8], labels=embeddings.labels[::8],
                   sha256=embeddings.sha256[::8], network_trained=embeddings.network_trained[::8])  # fmt: skip
    new = with_more_labels(shipped, kept, "né à Paris", "ж")

    written = write_head(shipped, tmp_path / "new.tflite", new)
    loaded = check_written(written, shipped, new)

    assert written.max_error < 1e-5
    assert written.compared > 400
    assert loaded.file.golden is not None
    with zipfile.ZipFile(written.path) as packed_files:
        record = json.loads(packed_files.read("dogid.json"))
    assert record["provenance"]["parent"] == {"file": "dogid.tflite", "sha256": shipped.file.sha256}
    assert record["provenance"]["corrections"] == list(CORRECTIONS)
    again = read_embeddings(written.path)
    assert again is not None
    assert np.array_equal(again.embeddings, kept.embeddings)
    assert again.sha256 == kept.sha256
    # the next generation: the file does not grow by what was there before, and the same inputs give the same bytes
    next_one = write_head(loaded, tmp_path / "next.tflite", new)
    same = write_head(loaded, tmp_path / "same.tflite", new)
    check_written(next_one, shipped, new)
    assert abs(next_one.path.stat().st_size - written.path.stat().st_size) < 1000
    assert next_one.path.read_bytes() == same.path.read_bytes()


@pytest.mark.parametrize("head", [sigmoid_of_red, means])
def test_other_peoples_models_get_new_labels(head: Any, tmp_path: Path) -> None:
    labels = "other\nred\n" if head is sigmoid_of_red else "red\ngreen\nblue\n"
    path = packed(model_of(head), tmp_path / "model.tflite", labels_txt=labels)
    usual = load_model(path, embeddings=True)
    parent = load_model(path, options=InputOptions(normalisation=CAFFE, channels=BGR), embeddings=True)
    assert usual.file.network != parent.file.network
    new = with_more_labels(parent, None, "white")

    loaded = check_written(write_head(parent, tmp_path / "new.tflite", new), parent, new)

    assert (loaded.input.setting, loaded.input.channels) == (parent.input.setting, BGR)


def test_probabilities_of_their_own_are_not_learned(tmp_path: Path) -> None:
    path = packed(model_of(sigmoids), tmp_path / "model.tflite", labels_txt="red\ngreen\nblue\n")
    parent = load_model(path, embeddings=True)
    head = Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))

    assert parent.file.network is None
    with pytest.raises(UnwritableModelError, match="sigmoid"):
        write_head(parent, tmp_path / "new.tflite", NewModel(head, parent.labels, None, (), "dogid learn"))


@needs(MODELS)
def test_quantized_layer_of_a_thousand_labels_is_replaced(tmp_path: Path) -> None:
    parent = load_model(MODELS / "tf2_mobilenet_v2_1.0_224_ptq.tflite", embeddings=True)
    new = with_more_labels(parent, None, "rottweiler cross")

    loaded = check_written(write_head(parent, tmp_path / "new.tflite", new), parent, new)

    assert loaded.input == parent.input


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": ("a", "b", "c", "two\nlines")}, "'two\\\\nlines' cannot be a label"),
        ({"labels": ("a", "b", "c", "")}, "'' cannot be a label"),
        ({"labels": ("a", "b", "c")}, "does not fit 3 labels"),
        ({"head": Head(np.full((4, 1280), np.nan, np.float32), np.zeros(4, np.float32))}, "NaN"),
    ],
)
def test_unfit_head_leaves_the_former_file(shipped: Model, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    target = tmp_path / "new.tflite"
    target.write_bytes(b"former")
    whole = NewModel(read_head(shipped.file.data), shipped.labels, None, (), "dogid learn")

    with pytest.raises(UnwritableModelError, match=reason) as error:
        write_head(shipped, target, replace(whole, **change))

    assert str(shipped_model()) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["new.tflite"]
    assert target.read_bytes() == b"former"


def test_parent_that_changed_on_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(shipped_model().read_bytes())
    parent = load_model(path, embeddings=True)
    path.write_bytes(path.read_bytes() + b"\0")

    with pytest.raises(UnwritableModelError, match="was changed after it was loaded"):
        write_head(parent, tmp_path / "new.tflite", with_more_labels(parent, None))
