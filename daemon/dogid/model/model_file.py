"""A `.tflite` file with what belongs to it: labels and dogid's own record, in a zip appended to the file.

Appending a zip is how TensorFlow Lite Metadata packs associated files:
https://ai.google.dev/edge/litert/models/metadata. A reader of the flatbuffer ignores what follows it.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.model.containers import (
    UltralyticsFacts,
    ZippedModel,
    read_ultralytics,
    read_zipped_model,
    teachable_machine_normalisation,
)
from dogid.model.input_size import set_input_size
from dogid.model.last_layer import NoLastLayerError
from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.model_labels import find_labels
from dogid.model.model_record import (
    RECORD,
    GoldenPhoto,
    extract_sealed_weights,
    read_colours,
    read_golden_photo,
    read_record,
)
from dogid.model.network import Network, expose_embedding, read_network
from dogid.model.skip_quantize import strip_input_quantize
from dogid.model.tflite_metadata import ModelMetadata, read_metadata
from dogid.model.zip_members import ZIP_ERRORS, read_member
from dogid.preprocessing import BGR, RGB, KnownNormalisation, Normalisation, Origin

_IDENTIFIER = b"TFL3"  # at byte 4: the flatbuffer's file identifier
_ZIP = b"PK\x03\x04"
_MAX_MEMBER = 16 << 20  # bytes; no label file is larger, nor is a photo of a model's input size
_MAX_PACKED = 32 << 20  # bytes of all members, which are in memory at once; embeddings of 10,000 photos take 13 MB
_MOST_MEMBERS = 20


@dataclass(frozen=True, slots=True)
class InputOptions:
    """What the user sets of a model's input; None leaves it to the file."""

    normalisation: Normalisation | None = None
    channels: str | None = None
    """RGB or BGR."""
    size: int | None = None
    """Side in pixels, for models that take images of any size."""


AS_DEFINED = InputOptions()
"""Everything as the file defines it."""

_HIDDEN_FROM_SERVICES = ("/home", "/root", "/run/user")  # by ProtectHome=


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
    normalisation: KnownNormalisation | None
    """Of the input; None where neither the user nor the file defines it."""
    metadata: ModelMetadata
    """What the flatbuffer itself says."""
    takes_uint8: bool = False
    """Whether the model's own input is uint8 though that of data is int8."""
    channels: str | None = None
    """RGB or BGR as the user set it."""
    network: Network | None = None
    """Whose embeddings data gives as a second output; None where the scores are its only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile(RunnableModel):
    """A model file read into memory."""

    path: Path
    sha256: str
    """Of the file."""
    golden: GoldenPhoto | None
    record: Mapping[str, Any] = field(default_factory=dict)


def read_model_file(
    path: Path, labels: Path | None = None, options: InputOptions = AS_DEFINED, *, embeddings: bool = False
) -> ModelFile:
    """Read a model and what is packed with it; labels overrides where its labels come from, options how it is fed.

    embeddings: whether the embedding becomes a second output, where the model's network is known. path may also be a
    zip with a single `.tflite`, as Teachable Machine makes them. Raise UsageError where the file is missing, is no
    TensorFlow Lite model, or is not the one that was sealed.
    """
    return parse_model_file(path, read_content(path), labels, options, embeddings=embeddings)


def parse_model_file(
    path: Path,
    content: bytes,
    labels: Path | None = None,
    options: InputOptions = AS_DEFINED,
    *,
    embeddings: bool = False,
) -> ModelFile:
    """Given the content of a model file, return the same as `read_model_file`: it need not be at its path yet."""
    zipped = _unzip(path, content)
    data = content if zipped is None else zipped.data
    packed = _packed(path, data)
    record = read_record(path, packed)
    weights = extract_sealed_weights(path, data, record)
    metadata, exporter = read_metadata(weights), read_ultralytics(packed)
    found = find_labels(path, labels, packed, zipped, exporter, metadata, ours=RECORD in packed)
    sized = weights if options.size is None else _resize(path, weights, options.size)
    network = _find_network(sized) if embeddings else None
    shorter = strip_input_quantize(sized)
    runs = shorter or sized
    return ModelFile(
        name=path.name,
        title=str(path),
        path=path,
        data=runs if network is None else expose_embedding(runs, network.tensor),
        sha256=hashlib.sha256(content).hexdigest(),
        labels=found.names,
        labels_from=found.source,
        normalisation=_normalisation(path, options, record, metadata, exporter, zipped)
        or _derive_normalisation(weights),
        golden=read_golden_photo(path, record, packed),
        record=record,
        metadata=metadata,
        takes_uint8=shorter is not None,
        channels=options.channels,
        network=network,
    )


def extract_flatbuffer(path: Path, content: bytes) -> bytes:
    """Given the content of a model file, return the model itself, without a change. Raise UsageError."""
    zipped = _unzip(path, content)
    data = content if zipped is None else zipped.data
    return extract_sealed_weights(path, data, read_record(path, _packed(path, data)))


def read_content(path: Path) -> bytes:
    """Read a model file. Raise UsageError with the reason."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the model: {error.strerror}{_explain_service(path)}") from error


def _find_network(data: bytes) -> Network | None:
    try:
        return read_network(data)
    except NoLastLayerError:
        return None  # `read_network` says why to those who need to know


def _unzip(path: Path, content: bytes) -> ZippedModel | None:
    """Return the model in a zip, None where the file is a `.tflite`. Raise UsageError where it is neither."""
    if content[4:8] == _IDENTIFIER:
        return None
    try:
        zipped = None
        if content.startswith(_ZIP):
            zipped = read_zipped_model(content, most_files=_MOST_MEMBERS, most_bytes=_MAX_MEMBER)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    if zipped is None or zipped.data[4:8] != _IDENTIFIER:
        from dogid.model.other_formats import explain_format  # a model that is accepted does not need it

        reason = explain_format(path, content)
        other = "" if reason is None else f", but {reason}"
        way_out = "" if reason is not None else "; `dogid convert` makes one from a graph"
        raise UsageError(f"{path}: not a TensorFlow Lite model{other}{way_out}")
    return zipped


def _resize(path: Path, data: bytes, side: int) -> bytes:
    try:
        return set_input_size(data, side)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def _derive_normalisation(data: bytes) -> KnownNormalisation | None:
    from dogid.model.graph_front import derive_normalisation  # the files of most models say it themselves

    return derive_normalisation(data)


def _normalisation(
    path: Path,
    options: InputOptions,
    record: Mapping[str, Any],
    metadata: ModelMetadata,
    exporter: UltralyticsFacts | None,
    zipped: ZippedModel | None,
) -> KnownNormalisation | None:
    """Return the normalisation that the user, the record, the metadata or the file's maker define, in this order."""
    if options.normalisation is not None:
        return KnownNormalisation(options.normalisation, Origin.SET, "by the settings")
    mean, std = read_colours(record, "mean"), read_colours(record, "std")
    if mean and std and min(std) > 0:
        channels = record.get("channels")
        known = channels if channels in (RGB, BGR) else None
        return KnownNormalisation(Normalisation(mean, std), Origin.FILE, "as the file defines", known)
    if metadata.normalisation is not None:
        return KnownNormalisation(metadata.normalisation, Origin.FILE, "by the model's metadata")
    if exporter is not None and exporter.normalisation is not None:
        return exporter.normalisation
    return teachable_machine_normalisation(path.name if zipped is None else zipped.name, metadata.input_shape)


def _packed(path: Path, data: bytes) -> dict[str, bytes]:
    """The members of the zip appended to a model by name; none where there is no zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            wanted = [item for item in archive.infolist() if _is_wanted(item)]
            if len(wanted) > _MOST_MEMBERS:
                raise UsageError(
                    f"{path}: {len(wanted)} files are packed into the model; at most {_MOST_MEMBERS} are read"
                )
            packed_bytes = sum(item.file_size for item in wanted)
            if packed_bytes > _MAX_PACKED:
                raise UsageError(
                    f"{path}: {packed_bytes / 1e6:.0f} MB of files are packed into the model; at most"
                    f" {_MAX_PACKED / 1e6:.0f} MB are read; pack the labels alone, or give them by --labels"
                )
            return {item.filename: read_member(archive, item, _MAX_MEMBER) for item in wanted}
    except zipfile.BadZipFile:
        return {}
    except ZIP_ERRORS as error:
        raise UsageError(f"{path}: the files packed into the model are damaged: {error}") from error


def _is_wanted(item: zipfile.ZipInfo) -> bool:
    return item.file_size <= _MAX_MEMBER and not item.is_dir() and item.filename != TRAINING_EMBEDDINGS


def _explain_service(path: Path) -> str:
    """Return a hint for a service's model in a home folder, which systemd hides from it; else nothing."""
    is_hidden = "INVOCATION_ID" in os.environ and any(path.is_relative_to(home) for home in _HIDDEN_FROM_SERVICES)
    return "; the service does not see home folders: copy the model to /etc/dogid/ and name it there" * is_hidden
