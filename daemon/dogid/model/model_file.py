"""A `.tflite` file with what belongs to it: labels and dogid's own record, in a zip appended to the file.

Appending a zip is how TensorFlow Lite Metadata packs associated files:
https://ai.google.dev/edge/litert/models/metadata. A reader of the flatbuffer ignores what follows it.
"""

import hashlib
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dogid.errors import UsageError
from dogid.model.labels import parse_labels
from dogid.model.skip_quantize import strip_input_quantize
from dogid.model.tflite_metadata import ModelMetadata, read_metadata

RECORD = "dogid.json"
"""The zip member with dogid's record: normalisation, provenance, golden photo."""

LABELS = "labels.txt"

_IDENTIFIER = b"TFL3"  # at byte 4: the flatbuffer's file identifier
_MAX_MEMBER = 16 << 20  # bytes; no label file is larger, nor is a photo of a model's input size
_MOST_MEMBERS = 20
_IMAGES = frozenset({".png", ".jpg", ".jpeg"})

_HIDDEN_FROM_SERVICES = ("/home", "/root", "/run/user")  # by ProtectHome=


@dataclass(frozen=True, slots=True)
class GoldenPhoto:
    """An image in the model file, and the scores that the model gave it when the file was made."""

    data: bytes
    """An encoded image in the model's input size."""
    scores: tuple[float, ...]
    """Probabilities in the order of the labels."""
    tolerance: float
    """How far a score may lie from the expected one: kernels differ between processors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnableModel:
    """A model in memory with what a classifier needs to run it; nothing has been run yet."""

    name: str
    """What results call this model: its file's name."""
    title: str
    """What error messages call it: its file's path."""
    data: bytes
    """As interpreters get it: without the first operator of `strip_input_quantize`, where `takes_uint8`."""
    labels: tuple[str, ...] | None
    labels_from: str
    mean: float | None
    """Normalisation of a float input: (pixel - mean) / std. None where the model does not define it."""
    std: float | None
    metadata: ModelMetadata
    """What the flatbuffer itself says."""
    takes_uint8: bool = False
    """Whether the model's own input is uint8 though that of data is int8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile(RunnableModel):
    """A model file read into memory."""

    path: Path
    sha256: str
    """Of the file."""
    golden: GoldenPhoto | None
    record: Mapping[str, Any] = field(default_factory=dict)


def read_model_file(path: Path, labels: Path | None = None) -> ModelFile:
    """Read a model and what is packed with it; labels overrides where its labels come from.

    Raise UsageError where the file is missing, is no TensorFlow Lite model, or is not the one that was sealed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the model: {error.strerror}{_explain_service(path)}") from error
    if data[4:8] != _IDENTIFIER:
        raise UsageError(f"{path}: not a TensorFlow Lite model; `dogid convert` makes one from a graph")
    packed = _packed(path)
    record = _record(path, packed)
    _check_seal(path, data, record)
    metadata = read_metadata(data)
    names, names_from = _labels(path, packed, labels, metadata)
    shorter = strip_input_quantize(data)
    return ModelFile(
        name=path.name,
        title=str(path),
        path=path,
        data=shorter or data,
        sha256=hashlib.sha256(data).hexdigest(),
        labels=names,
        labels_from=names_from,
        mean=_number(record, "mean"),
        std=_number(record, "std"),
        golden=_golden(path, record, packed),
        record=record,
        metadata=metadata,
        takes_uint8=shorter is not None,
    )


def _packed(path: Path) -> dict[str, bytes]:
    """The members of the appended zip by name; none where there is no zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [item for item in archive.infolist() if _is_wanted(item)]
            if len(wanted) > _MOST_MEMBERS:
                raise UsageError(
                    f"{path}: {len(wanted)} files are packed into the model; at most {_MOST_MEMBERS} are read"
                )
            return {item.filename: archive.read(item) for item in wanted}
    except zipfile.BadZipFile:
        return {}
    except (OSError, RuntimeError, NotImplementedError, EOFError, ValueError, zlib.error) as error:
        raise UsageError(f"{path}: the files packed into the model are damaged: {error}") from error


def _is_wanted(item: zipfile.ZipInfo) -> bool:
    return item.file_size <= _MAX_MEMBER and not item.is_dir()


def _record(path: Path, packed: Mapping[str, bytes]) -> Mapping[str, Any]:
    if RECORD not in packed:
        return {}
    try:
        record = json.loads(packed[RECORD])
    except ValueError as error:
        raise UsageError(f"{path}: {RECORD} inside the model is damaged: {error}") from error
    if not isinstance(record, dict):
        raise UsageError(f"{path}: {RECORD} inside the model is damaged: not an object")
    return record


def _check_seal(path: Path, data: bytes, record: Mapping[str, Any]) -> None:
    sealed = record.get("weights_sha256")
    if sealed is None:
        return
    with zipfile.ZipFile(path) as archive:
        start = min(item.header_offset for item in archive.infolist())
    if hashlib.sha256(data[:start]).hexdigest() != sealed:
        raise UsageError(f"{path}: the model is damaged: its weights are not those that were sealed; copy it again")


def _labels(
    path: Path, packed: Mapping[str, bytes], given: Path | None, metadata: ModelMetadata
) -> tuple[tuple[str, ...] | None, str]:
    if given is not None:
        return _read_labels(given), str(given)
    inside = {name: names for name in _by_likelihood(packed, metadata) if (names := _text_labels(packed[name]))}
    if inside:
        # where several texts are packed and nothing names the labels, their number does
        fitting = [name for name, names in inside.items() if len(names) == max(metadata.classes, 2)]
        best = (fitting or list(inside))[0]
        return inside[best], f"{best} inside {path.name}"
    for beside in (path.with_suffix(".txt"), path.with_name(path.name + ".txt"), path.with_name(LABELS)):
        if beside.is_file():
            return _read_labels(beside), str(beside)
    return None, ""


def _by_likelihood(packed: Mapping[str, bytes], metadata: ModelMetadata) -> list[str]:
    """The members that may hold labels, the likeliest first."""
    texts = [name for name in packed if PurePosixPath(name).suffix.lower() not in {".json", *_IMAGES}]

    def likelihood(name: str) -> tuple[bool, ...]:
        named = "label" in name.lower(), PurePosixPath(name).suffix.lower() == ".txt"
        return (name == metadata.labels_file, name == LABELS, *named)

    return sorted(sorted(texts), key=likelihood, reverse=True)


def _text_labels(content: bytes) -> tuple[str, ...]:
    """The labels in a text; none where it is not text."""
    return () if b"\0" in content else parse_labels(content.decode("utf-8", "replace"))


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        return parse_labels(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the labels: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the labels are not UTF-8 text") from error


def _number(record: Mapping[str, Any], key: str) -> float | None:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _golden(path: Path, record: Mapping[str, Any], packed: Mapping[str, bytes]) -> GoldenPhoto | None:
    golden = record.get("golden")
    if golden is None:
        return None
    try:
        scores = tuple(float(score) for score in golden["scores"])
        return GoldenPhoto(packed[golden["file"]], scores, float(golden["tolerance"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: the golden photo inside the model is damaged: {error!r}") from error


def _explain_service(path: Path) -> str:
    """Return a hint for a service's model in a home folder, which systemd hides from it; else nothing."""
    is_hidden = "INVOCATION_ID" in os.environ and any(path.is_relative_to(home) for home in _HIDDEN_FROM_SERVICES)
    return "; the service does not see home folders: copy the model to /etc/dogid/ and name it there" * is_hidden
