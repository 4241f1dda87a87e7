"""The embeddings of a model's training photos, which the model file carries: what learning from corrections needs.

A member `training_embeddings.npz` of the appended zip, with these arrays; [photos] is the same for all.

| array | type | contents |
| --- | --- | --- |
| `embeddings` | int8 [width, photos] | of the float network, in units of `step`; transposed, which compresses better |
| `step` | float32 [] | |
| `labels` | uint16 [photos] | places in the model's list of labels |
| `sha256` | uint8 [photos, 32] | of the photo's file |
| `network_trained` | bool [photos] | whether the network before the last layer was trained on it |

They are of the float network, and rounded. A head that is fitted to them is as good as one that is fitted to exact
ones: with the shipped model's 3,607 photos, in folds of whole sources, 94.8 and 94.6 % are right. Photos of a new label
are better not rounded while they are few (20 photos: 85 % found instead of 83).
"""

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.literals import parsing
from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.zip_members import ZIP_ERRORS, read_member

_STEP = 1.1
"""Of the features' mean standard deviation. Lower: a larger file; higher: heads fitted to these embeddings are worse.
At 1.1, the loss of a head on other photos is within 1 % of that of exact embeddings, and a photo takes 280 bytes."""
_MAX_BYTES = 64 << 20  # of the member; its arrays are compressed
_MAX_NUMBERS = 32 << 20  # of all embeddings: 25,000 photos of 1,280; more take more memory, five bytes each
_MAX_PHOTOS = 1 << 20
_HEADER = 4096  # bytes of an array's header, at most
_BLOCK = 256  # photos that are rounded at once: more need memory, and save no time
_HASHES = "sha256"
_HASH_BYTES = 32
_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first: equal contents shall give equal bytes


@dataclass(frozen=True, slots=True)
class TrainingEmbeddings:
    """What is known about the photos that a model was trained on."""

    embeddings: NDArray[np.float32]
    """[photos, width]."""
    labels: NDArray[np.integer]
    """[photos], places in the model's list of labels."""
    sha256: tuple[str, ...]
    """[photos], of the photo's file, in hex."""
    network_trained: NDArray[np.bool_]
    """[photos], whether the network before the last layer was trained on the photo."""
    step: float | None = None
    """What embeddings that were read are multiples of; None of those that were never rounded."""


def limit_photos(photos: TrainingEmbeddings) -> TrainingEmbeddings:
    """Return as many of the photos as a file may carry so that it can be read; all where they are not too many.

    Photos that the network was trained on are left out first, for no model can be judged by them; evenly among all.
    """
    count, width = photos.embeddings.shape
    most = min(_MAX_PHOTOS, _MAX_NUMBERS // max(width, 1))
    if count <= most:
        return photos
    trained, others = np.flatnonzero(photos.network_trained), np.flatnonzero(~photos.network_trained)
    kept_others = _choose_evenly(others, min(len(others), most))
    kept = np.sort(np.concatenate([kept_others, _choose_evenly(trained, most - len(kept_others))]))
    return replace(
        photos,
        embeddings=photos.embeddings[kept],
        labels=photos.labels[kept],
        sha256=tuple(photos.sha256[at] for at in kept),
        network_trained=photos.network_trained[kept],
    )


def _choose_evenly(places: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    return places[np.arange(count) * len(places) // max(count, 1)]


def encode(photos: TrainingEmbeddings, *, quickly: bool = False) -> bytes:
    """Return the content of the zip member, the same bytes for the same photos; embeddings are rounded.

    Of more photos than `decode` reads, those of `limit_photos` are in it.

    Those that have been read with photos.step keep their values: others may be among them, and are rounded to it. What
    is larger than 127 steps is cut: one photo far from all others must not make the rest coarser.
    quickly: by a method that takes a sixteenth of the time (0.2 s instead of 4 s for 3,600 photos, more on a small
    device) and makes a file a twelfth larger.
    """
    photos = limit_photos(photos)
    step = np.float32(photos.step or _choose_step(photos.embeddings))
    arrays: dict[str, NDArray[Any]] = {
        "embeddings": _round(photos.embeddings, step),
        "step": np.asarray(step),
        "labels": photos.labels.astype(np.uint16),
        _HASHES: np.frombuffer(bytes.fromhex("".join(photos.sha256)), np.uint8).reshape(-1, _HASH_BYTES),
        "network_trained": photos.network_trained,
    }
    buffer = io.BytesIO()
    # as np.savez_compressed does, but by LZMA where there is time
    method = zipfile.ZIP_DEFLATED if quickly else zipfile.ZIP_LZMA
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, values in arrays.items():
            content = io.BytesIO()
            np.save(content, values, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _TIME)
            entry.compress_type = method
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def _round(embeddings: NDArray[np.float32], step: np.float32) -> NDArray[np.int8]:
    """Return embeddings [photos, width] in units of step [width, photos], a block after the other to save memory."""
    levels = np.empty(embeddings.shape[::-1], np.int8)
    for start in range(0, len(embeddings), _BLOCK):
        block = slice(start, start + _BLOCK)
        levels[:, block] = np.clip(np.round(embeddings[block] / step), -127, 127).T
    return levels


def read_embeddings(model: Path) -> TrainingEmbeddings | None:
    """Return the training embeddings that a model file carries; None where it has none.

    Raise ValueError where they are damaged or too large to be read.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            if TRAINING_EMBEDDINGS not in archive.namelist():
                return None
            member = archive.getinfo(TRAINING_EMBEDDINGS)
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError("they are compressed twice")
            return decode(read_member(archive, member, _MAX_BYTES))
    except zipfile.BadZipFile:
        return None  # a model without a zip
    except (*ZIP_ERRORS, KeyError, TypeError, MemoryError) as error:
        raise ValueError(f"the training embeddings in {model} are damaged: {error}") from error


def read_hashes(model: Path) -> frozenset[str] | None:
    """Return the SHA-256, in hex, of the photos whose embeddings a model file carries; None where it has none.

    None as well where they are damaged, or more than of a million photos.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            member = archive.getinfo(TRAINING_EMBEDDINGS)
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > _MAX_BYTES:
                return None
            # read from the file: the other arrays are a hundred times as large
            with archive.open(member) as packed, zipfile.ZipFile(packed) as arrays:
                hashes = _read_hash_array(arrays)
    except (*ZIP_ERRORS, KeyError, TypeError, MemoryError):
        return None
    return frozenset(bytes(row).hex() for row in hashes)


def _choose_step(embeddings: NDArray[np.float32]) -> float:
    """Return a step in which the largest of all numbers fits int8."""
    largest = float(max(embeddings.max(initial=0.0), -embeddings.min(initial=0.0)))
    deviation = float(embeddings.std(axis=0).mean()) if len(embeddings) else 0.0
    return max(_STEP * deviation, largest / 127) or 1.0


def decode(content: bytes) -> TrainingEmbeddings:
    """Return the photos of a zip member. Raise ValueError, KeyError or OSError where it is damaged or too large."""
    with zipfile.ZipFile(io.BytesIO(content)) as arrays:
        labels = _read_array(arrays, "labels", np.uint16, 1, _MAX_PHOTOS)
        hashes = _read_hash_array(arrays)
        network_trained = _read_array(arrays, "network_trained", np.bool_, 1, _MAX_PHOTOS)
        step = float(_read_array(arrays, "step", np.float32, 0, 1))
        levels = _read_array(arrays, "embeddings", np.int8, 2, _MAX_NUMBERS)
    if {levels.shape[1], len(hashes), len(network_trained)} != {len(labels)}:
        raise ValueError("they are of different numbers of photos")
    if not 0 < step < np.inf:
        raise ValueError(f"their step is {step}")
    embeddings = levels.T.astype(np.float32)
    embeddings *= np.float32(step)
    return TrainingEmbeddings(
        embeddings=embeddings,
        labels=labels.astype(np.int64),
        sha256=tuple(bytes(row).hex() for row in hashes),
        network_trained=network_trained,
        step=step,
    )


def _read_hash_array(arrays: zipfile.ZipFile) -> NDArray[np.uint8]:
    hashes: NDArray[np.uint8] = _read_array(arrays, _HASHES, np.uint8, 2, _HASH_BYTES * _MAX_PHOTOS)
    if hashes.shape[1] != _HASH_BYTES:
        raise ValueError(f"their hashes have {hashes.shape[1]} bytes")
    return hashes


def _read_array(arrays: zipfile.ZipFile, name: str, dtype: type, dimensions: int, most: int) -> NDArray[Any]:
    """Return an array of up to most numbers. Raise ValueError where it is larger, or not as expected.

    `np.load` reserves what the array's header states, and unpacks what the zip holds.
    """
    most_bytes = most * np.dtype(dtype).itemsize + _HEADER
    content = io.BytesIO(read_member(arrays, arrays.getinfo(f"{name}.npy"), most_bytes))
    if np.lib.format.read_magic(content) != (1, 0):
        raise ValueError(f"{name} is of another version of the format")
    with parsing:
        shape, is_fortran, found = np.lib.format.read_array_header_1_0(content)
    if found != np.dtype(dtype) or len(shape) != dimensions or is_fortran:
        raise ValueError(f"{name} is not as dogid writes it")
    return np.frombuffer(content.read(), dtype).reshape(shape)
