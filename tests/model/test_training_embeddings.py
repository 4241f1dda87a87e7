"""What a model file carries for learning, and that the daemon does not keep it in memory."""

import io
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dogid.model import training_embeddings
from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.model_file import read_model_file
from dogid.model.shipped import shipped_model
from dogid.model.training_embeddings import TrainingEmbeddings, decode, encode, read_hashes


def make_photos(count: int = 40, width: int = 64) -> TrainingEmbeddings:
    rng = np.random.default_rng(0)
    return TrainingEmbeddings(
        embeddings=np.maximum(0, rng.normal(0, 1, (count, width))).astype(np.float32),
        labels=np.arange(count) % 3,
        sha256=tuple(bytes(rng.integers(0, 256, 32, np.uint8)).hex() for _ in range(count)),
        network_trained=np.arange(count) % 2 == 0,
    )


def read_arrays(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_photos_survive_encoding() -> None:
    photos = make_photos()
    found = decode(encode(photos))

    assert found.sha256 == photos.sha256
    assert found.labels.tolist() == photos.labels.tolist()
    assert found.network_trained.tolist() == photos.network_trained.tolist()
    deviation = photos.embeddings.std(axis=0).mean()
    assert np.abs(found.embeddings - photos.embeddings).max() < 0.55 * deviation
    assert encode(photos) == encode(make_photos())


def test_no_more_photos_are_written_than_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_embeddings, "_MAX_NUMBERS", 30 * 64)
    photos = make_photos()  # 20 of which the network was trained on
    found = decode(encode(photos))

    assert len(found.labels) == 30
    assert int((~found.network_trained).sum()) == 20  # those by which a model can be judged
    assert set(found.sha256) < set(photos.sha256)
    assert decode(encode(replace(photos, network_trained=np.zeros(40, bool)))).labels.shape == (30,)


@pytest.mark.parametrize("factor", [0.0, 1e-3, 1.0, 1e4])
def test_embeddings_of_any_size_fit_int8(factor: float) -> None:
    photos = make_photos()
    scaled = replace(photos, embeddings=np.float32(factor) * photos.embeddings)
    scaled.embeddings[0, 0] = factor * 1000  # far from all others

    distance = np.abs(decode(encode(scaled)).embeddings - scaled.embeddings).max()
    assert distance <= factor * 1000 / 127


def test_photo_far_from_all_others_makes_the_rest_no_coarser() -> None:
    parent = decode(encode(make_photos()))
    embeddings = parent.embeddings.copy()
    embeddings[0] *= 100
    found = decode(encode(replace(parent, embeddings=embeddings)))

    assert found.step == parent.step
    assert (found.embeddings[1:] == parent.embeddings[1:]).all()
    assert found.step is not None
    assert found.embeddings[0].max() == np.float32(127) * np.float32(found.step)


def test_hostile_arrays_are_refused_before_they_are_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in read_arrays(encode(make_photos())).items():
            zeros = bytes(100 << 20) if name == "embeddings.npy" else b""
            archive.writestr(name, content + zeros)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="at most"):
            decode(packed.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("embeddings", np.zeros((64, 41), np.int8)), ("embeddings", np.zeros((64, 40), np.float64)),
        ("labels", np.zeros((40, 1), np.uint16)), ("step", np.float32("nan")),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(name: str, values: np.ndarray) -> None:
    packed, changed = io.BytesIO(), io.BytesIO()
    np.save(changed, values)
    with zipfile.ZipFile(packed, "w") as archive:
        for member, content in (read_arrays(encode(make_photos())) | {f"{name}.npy": changed.getvalue()}).items():
            archive.writestr(member, content)

    with pytest.raises(ValueError, match=r"numbers|not as dogid|their step"):
        decode(packed.getvalue())


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


def with_member(path: Path, content: bytes, *, is_encrypted: bool = False) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(TRAINING_EMBEDDINGS, content)
        archive.getinfo(TRAINING_EMBEDDINGS).flag_bits |= is_encrypted
    return path


def test_hashes_are_read_without_the_rest(tmp_path: Path) -> None:
    photos = make_photos()

    assert read_hashes(with_member(tmp_path / "m.tflite", encode(photos))) == frozenset(photos.sha256)


def test_hashes_of_damaged_models_are_unknown(tmp_path: Path) -> None:
    path, content = tmp_path / "m.tflite", encode(make_photos())
    at = content.index(b"sha256.npy") + 30
    wrong_type = io.BytesIO()
    np.savez(wrong_type, sha256=np.float32(1))

    assert read_hashes(with_member(path, content[:at] + bytes(50) + content[at + 50 :])) is None
    assert read_hashes(with_member(path, content, is_encrypted=True)) is None
    assert read_hashes(with_member(path, wrong_type.getvalue())) is None


def test_hashes_that_unpack_to_much_are_not_read(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, sha256=np.zeros((2 << 20, 32), np.uint8))
    path = with_member(tmp_path / "m.tflite", content.getvalue())
    tracemalloc.start()
    try:
        assert read_hashes(path) is None
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
