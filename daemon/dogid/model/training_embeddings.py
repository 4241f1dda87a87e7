"""The embeddings of a model's training photos, which the model file carries: what learning from corrections needs.

A member `training_embeddings.npz` of the appended zip, with these arrays; [photos] is the same for all.

| array | type | contents |
| --- | --- | --- |
| `embeddings` | int8 [width, photos] | of the float network, in units of `step`; transposed, which compresses better |
| `step` | float32 [] | |
| `labels` | uint16 [photos] | places in the model's list of labels |
| `sha256` | uint8 [photos, 32] | of the photo's file |
| `network_trained` | bool [photos] | whether the network before the last layer was trained on it |

They are of the float network, and rounded. A head that is fitted to them is as good for the quantized network's
embeddings as one that is fitted to those: with the shipped model's 3,607 photos, in folds of whole sources, 94.5 and
94.6 % are right. Photos of a new label are better not rounded while they are few (20 photos: 85 % found instead of 83).
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.zip_members import ZIP_ERRORS, read_member

_STEP = 1.0
"""Of the features' mean standard deviation. Lower: a larger file; higher: heads fitted to these embeddings are worse.
At 1.0, the loss of a head on other photos is within 1 % of that of exact embeddings, and a photo takes 270 bytes."""
_MAX_BYTES = 256 << 20  # of the member; a million photos
_BLOCK = 256  # photos that are rounded at once: more need memory, and save no time
_HASHES = "sha256"
_HASH_BYTES = 32
_MAX_HASHES = (_HASH_BYTES << 20) + 4096  # bytes, of a million photos and the array's header
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


def encode(photos: TrainingEmbeddings, *, quickly: bool = False) -> bytes:
    """Return the content of the zip member, the same bytes for the same photos; embeddings are rounded.

    Those that have been read with photos.step keep their values: others may be among them, and are rounded to it.
    quickly: by a method that takes a sixteenth of the time (0.2 s instead of 4 s for 3,600 photos, more on a small
    device) and makes a file a twelfth larger.
    """
    largest = float(max(photos.embeddings.max(initial=0.0), -photos.embeddings.min(initial=0.0)))
    chosen = photos.step or _STEP * _mean_deviation(photos.embeddings)
    step = np.float32(max(chosen, largest / 127) or 1.0)
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
        levels[:, block] = np.round(embeddings[block] / step).T
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
                content = read_member(arrays, arrays.getinfo(f"{_HASHES}.npy"), _MAX_HASHES)
        hashes = np.load(io.BytesIO(content), allow_pickle=False)
    except (*ZIP_ERRORS, KeyError, TypeError, MemoryError):  # memory: for an array as large as its header states
        return None
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] != _HASH_BYTES:
        return None
    return frozenset(bytes(row).hex() for row in hashes)


def _mean_deviation(embeddings: NDArray[np.float32]) -> float:
    return float(embeddings.std(axis=0).mean()) if len(embeddings) else 0.0


def decode(content: bytes) -> TrainingEmbeddings:
    """Return the photos of a zip member. Raise ValueError, KeyError or OSError where it is damaged."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return TrainingEmbeddings(
            embeddings=arrays["embeddings"].T.astype(np.float32) * arrays["step"],
            labels=arrays["labels"].astype(np.int64),
            sha256=tuple(bytes(row).hex() for row in arrays[_HASHES]),
            network_trained=arrays["network_trained"],
            step=float(arrays["step"]),
        )
