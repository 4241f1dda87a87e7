"""The bytes of a complete model file: the flatbuffer, then a zip with labels, golden photo, record and embeddings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dogid.model.golden_photo import GOLDEN_FILE, Classify, make_golden
from dogid.model.labels import read_label_text
from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.model_labels import LABELS
from dogid.model.model_record import RECORD
from dogid.model.zip_members import append_files
from dogid.preprocessing import Normalisation

FORMAT = 1
"""Version of the record's form."""


@dataclass(frozen=True, slots=True)
class FileContents:
    """What belongs to a model and is packed with it."""

    labels: Sequence[str]
    size: tuple[int, int]
    """(width, height) of its input in pixels."""
    normalisation: Normalisation | None
    """None where it is not known, and the reader has to guess it again."""
    channels: str | None
    """RGB or BGR; None where that is not known."""
    provenance: Mapping[str, Any]
    embeddings: bytes | None
    """See `training_embeddings`."""


def compose_model_file(
    model: bytes, contents: FileContents, classify: Classify, classify_by_other_kernels: Classify
) -> bytes:
    """Return a model's file, the same bytes for the same inputs: it contains no times.

    model is the flatbuffer with its metadata; classify and classify_by_other_kernels give its scores of pixels. Raise
    ValueError where a label cannot be written.
    """
    golden = make_golden(contents.size, classify, classify_by_other_kernels)
    record = {
        "format": FORMAT,
        **_describe_input(contents),
        "weights_sha256": hashlib.sha256(model).hexdigest(),
        "golden": {"file": GOLDEN_FILE, "scores": list(golden.scores), "tolerance": golden.tolerance},
        "provenance": contents.provenance,
    }
    files = {
        LABELS: encode_labels(contents.labels),
        GOLDEN_FILE: golden.data,
        RECORD: (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    if contents.embeddings is not None:
        files[TRAINING_EMBEDDINGS] = contents.embeddings
    return append_files(model, files)


def encode_labels(labels: Sequence[str]) -> bytes:
    """Return a label file's content, one label a line. Raise ValueError where it would be read as other labels."""
    content = "".join(f"{label}\n" for label in labels).encode()
    if read_label_text(content, LABELS, ours=True) != tuple(labels):
        wrong = next((one for one in labels if read_label_text(f"{one}\n".encode(), LABELS, ours=True) != (one,)), "")
        raise ValueError(f"{wrong!r} cannot be a label: it is empty, or has a space at an end or a line break")
    return content


def _describe_input(contents: FileContents) -> dict[str, Any]:
    if contents.normalisation is None:
        return {}
    mean, std = (
        values[0] if len(values) == 1 else list(values)
        for values in (contents.normalisation.mean, contents.normalisation.std)
    )
    return {"mean": mean, "std": std, **({"channels": contents.channels} if contents.channels else {})}
