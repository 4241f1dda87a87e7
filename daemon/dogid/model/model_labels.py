"""Finding a model's labels: given by the user, packed with the model, or in a file beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dogid.errors import UsageError
from dogid.model.containers import UltralyticsFacts, ZippedModel, is_ultralytics_file
from dogid.model.labels import read_label_text
from dogid.model.tflite_metadata import ModelMetadata

LABELS = "labels.txt"
"""The name under which dogid packs labels."""

RETRAINED_LABELS = "retrained_labels.txt"
"""What `dogid retrain` writes, as TensorFlow's codelab did: one label a line, never numbered."""

_BESIDE = (LABELS, RETRAINED_LABELS, "output_labels.txt", "class_indices.json")
"""Names of label files in the model's folder, the likeliest first: that of most programs, then those of training
scripts."""

_IMAGES = frozenset({".png", ".jpg", ".jpeg"})


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """Labels in the order of the outputs, and where they come from."""

    names: tuple[str, ...] | None
    source: str


def find_labels(
    path: Path,
    given: Path | None,
    packed: Mapping[str, bytes],
    zipped: ZippedModel | None,
    exporter: UltralyticsFacts | None,
    metadata: ModelMetadata,
    *,
    ours: bool,
) -> FoundLabels:
    """Return the labels of the file that the user gave, or else of those packed with the model or lying beside it.

    ours: whether dogid packed them. Raise UsageError where a label file cannot be read.
    """
    if given is not None:
        return FoundLabels(read_label_file(given), str(given))
    if exporter is not None and exporter.labels is not None:
        return FoundLabels(exporter.labels, f"{exporter.file} inside {path.name}")
    inside = {
        name: names
        for name in _by_likelihood(packed, metadata)
        if (names := _text_labels(name, packed[name], ours=ours))
    }
    if inside:
        # where several texts are packed and nothing names the labels, their number does
        fitting = [name for name, names in inside.items() if len(names) == max(metadata.classes, 2)]
        best = (fitting or list(inside))[0]
        return FoundLabels(inside[best], f"{best} inside {path.name}")
    if zipped is not None:
        for name in (PurePosixPath(zipped.name).stem + ".txt", *_BESIDE):
            names = _text_labels(name, zipped.beside.get(name, b""), ours=name == RETRAINED_LABELS)
            if names:
                return FoundLabels(names, f"{name} in {path.name}")
    for beside in (path.with_suffix(".txt"), path.with_name(path.name + ".txt"), *map(path.with_name, _BESIDE)):
        if beside.is_file():
            return FoundLabels(read_label_file(beside), str(beside))
    return FoundLabels(None, "")


def read_label_file(path: Path) -> tuple[str, ...]:
    """Read a label file of any known form. Raise UsageError with the reason."""
    try:
        return read_label_text(path.read_bytes(), path.name, ours=path.name == RETRAINED_LABELS)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the labels: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: cannot read the labels: {error}") from error


def _by_likelihood(packed: Mapping[str, bytes], metadata: ModelMetadata) -> list[str]:
    """The members that may hold labels, the likeliest first."""
    other = {".json", *_IMAGES}
    texts = [
        name for name in packed if PurePosixPath(name).suffix.lower() not in other and not is_ultralytics_file(name)
    ]

    def likelihood(name: str) -> tuple[bool, ...]:
        named = "label" in name.lower(), PurePosixPath(name).suffix.lower() == ".txt"
        return (name == metadata.labels_file, name == LABELS, *named)

    return sorted(sorted(texts), key=likelihood, reverse=True)


def _text_labels(name: str, content: bytes, *, ours: bool) -> tuple[str, ...]:
    """The labels in a packed text; none where it is not text."""
    if not content or b"\0" in content:
        return ()
    try:
        return read_label_text(content.decode("utf-8", "replace").encode(), name, ours=ours)
    except ValueError:
        return ()
