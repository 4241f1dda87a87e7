"""What a model file carries for learning, and that the daemon does not keep it in memory."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.model_file import read_model_file
from dogid.model.shipped import shipped_model
from dogid.model.training_embeddings import TrainingEmbeddings, decode, encode


def make_photos(count: int = 40, width: int = 64) -> TrainingEmbeddings:
    rng = np.random.default_rng(0)
    return TrainingEmbeddings(
        embeddings=np.maximum(0, rng.normal(0, 1, (count, width))).astype(np.float32),
        labels=np.arange(count) % 3,
        sha256=tuple(bytes(rng.integers(0, 256, 32, np.uint8)).hex() for _ in range(count)),
        network_trained=np.arange(count) % 2 == 0,
    )


def test_photos_survive_encoding() -> None:
    photos = make_photos()
    found = decode(encode(photos))

    assert found.sha256 == photos.sha256
    assert found.labels.tolist() == photos.labels.tolist()
    assert found.network_trained.tolist() == photos.network_trained.tolist()
    deviation = photos.embeddings.std(axis=0).mean()
    assert np.abs(found.embeddings - photos.embeddings).max() < 0.55 * deviation
    assert encode(photos) == encode(make_photos())


@pytest.mark.parametrize("factor", [0.0, 1e-3, 1.0, 1e4])
def test_embeddings_of_any_size_fit_int8(factor: float) -> None:
    photos = make_photos()
    scaled = replace(photos, embeddings=np.float32(factor) * photos.embeddings)
    scaled.embeddings[0, 0] = factor * 1000  # far from all others

    distance = np.abs(decode(encode(scaled)).embeddings - scaled.embeddings).max()
    assert distance <= factor * 1000 / 127


def test_model_without_photos_has_none() -> None:
    assert len(decode(encode(make_photos(0))).labels) == 0


def test_shipped_model_carries_its_photos() -> None:
    with zipfile.ZipFile(shipped_model()) as archive:
        photos = decode(archive.read(TRAINING_EMBEDDINGS))

    assert len(photos.labels) == len(photos.sha256) == len(set(photos.sha256)) > 3000
    assert not photos.network_trained.any()
    assert photos.embeddings.shape == (len(photos.labels), 1280)


def test_daemon_does_not_keep_them_in_memory() -> None:
    path = shipped_model()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(TRAINING_EMBEDDINGS).file_size

    assert len(read_model_file(path).data) <= path.stat().st_size - size
