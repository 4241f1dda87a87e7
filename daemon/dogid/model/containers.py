"""What other programs pack with a `.tflite`: Teachable Machine's zip, and the names in Ultralytics' exports."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dogid.literals import parse_literal
from dogid.model.labels import by_number
from dogid.model.zip_members import ZIP_ERRORS, read_member
from dogid.preprocessing import MINUS_1_TO_1, ZERO_TO_1, KnownNormalisation, Origin

_ULTRALYTICS = ("metadata.json", "temp_meta.txt", "meta.txt")
"""Members of the zip that Ultralytics' exporters append; the first since 8.3.150, the second before."""

_LARGEST_METADATA = 1 << 20  # bytes; a thousand names take 20 kB
# Bytes, in memory beside the zip. Raising this lets a small zip take more memory; lowering it refuses large models.
_LARGEST_MODEL = 256 << 20


@dataclass(frozen=True, slots=True)
class UltralyticsFacts:
    """What an Ultralytics export says of itself."""

    labels: tuple[str, ...] | None
    file: str
    """The member that holds them."""
    normalisation: KnownNormalisation | None


def read_ultralytics(packed: Mapping[str, bytes]) -> UltralyticsFacts | None:
    """Given the files packed with a model, return what Ultralytics' exporter wrote; None where it did not write it."""
    for name in _ULTRALYTICS:
        table = _read_table(packed[name]) if name in packed else None
        if table is None or "names" not in table:
            continue
        names = table["names"]
        labels = by_number(names) if isinstance(names, dict) else tuple(map(str, names))
        is_classifier = table.get("task") == "classify"
        reason = "as Ultralytics' classifiers take"
        known = KnownNormalisation(ZERO_TO_1, Origin.DERIVED, reason) if is_classifier else None
        return UltralyticsFacts(labels, name, known)
    return None


def is_ultralytics_file(name: str) -> bool:
    """Whether a member of the zip is Ultralytics' metadata, and no text with labels."""
    return name in _ULTRALYTICS


def _read_table(content: bytes) -> dict[str, Any] | None:
    if len(content) > _LARGEST_METADATA:
        return None
    text = content.decode("utf-8", "replace")
    try:
        table = json.loads(text) if text.lstrip().startswith('{"') else parse_literal(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return table if isinstance(table, dict) else None


@dataclass(frozen=True, slots=True)
class ZippedModel:
    """A `.tflite` in a zip, with the texts beside it."""

    data: bytes
    name: str
    beside: Mapping[str, bytes]
    """Files in the same folder of the zip, by their name there."""


def read_zipped_model(data: bytes, *, most_files: int = 0, most_bytes: int = 0) -> ZippedModel | None:
    """Given a zip's bytes, return the only `.tflite` in it; None where there is none, or more than one.

    Of the texts beside it, at most most_files of together most_bytes bytes are read. Raise ValueError where the zip is
    damaged or the model too large, with the way out.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            models = [item for item in archive.infolist() if item.filename.lower().endswith(".tflite")]
            if len(models) != 1:
                return None
            if models[0].file_size > _LARGEST_MODEL:
                raise _TooLargeError(models[0].file_size)
            beside = _read_texts(archive, PurePosixPath(models[0].filename).parent, most_files, most_bytes)
            name = PurePosixPath(models[0].filename).name
            return ZippedModel(read_member(archive, models[0], _LARGEST_MODEL), name, beside)
    except _TooLargeError:
        raise
    except ZIP_ERRORS as error:
        raise ValueError(f"the zip is damaged: {error}; download it again") from error


class _TooLargeError(ValueError):
    def __init__(self, size: int) -> None:
        limit = _LARGEST_MODEL // 1_000_000
        super().__init__(
            f"the model in the zip has {size / 1e6:,.0f} MB; at most {limit} MB are unpacked: unzip it, and give the"
            " .tflite"
        )


def _read_texts(archive: zipfile.ZipFile, folder: PurePosixPath, most_files: int, most_bytes: int) -> dict[str, bytes]:
    """Return the texts in a folder of a zip by their name there, the first of them up to the bounds."""
    texts: dict[str, bytes] = {}
    for item in archive.infolist():
        if len(texts) == most_files:
            break
        path = PurePosixPath(item.filename)
        if path.parent == folder and item.file_size <= most_bytes and path.suffix.lower() in (".txt", ".json", ".csv"):
            texts[path.name] = read_member(archive, item, most_bytes)
            most_bytes -= len(texts[path.name])
    return texts


def teachable_machine_normalisation(name: str, shape: tuple[int, ...]) -> KnownNormalisation | None:
    """Given the name and input shape of a `.tflite`, return its normalisation where it is Teachable Machine's.

    Its float export has this name and size, and is trained on pixels of -1..1.
    """
    if name != "model_unquant.tflite" or shape != (1, 224, 224, 3):
        return None
    return KnownNormalisation(MINUS_1_TO_1, Origin.DERIVED, "as Teachable Machine's models take")
