"""The record of a model file, `dogid.json` inside it: its seal, its colours and its golden photo."""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.errors import UsageError

RECORD = "dogid.json"
"""The zip member with dogid's record: normalisation, provenance, golden photo."""


@dataclass(frozen=True, slots=True)
class GoldenPhoto:
    """An image in the model file, and the scores that the model gave it when the file was made."""

    data: bytes
    """An encoded image in the model's input size."""
    scores: tuple[float, ...]
    """Probabilities in the order of the labels."""
    tolerance: float
    """How far a score may lie from the expected one: kernels differ between processors."""


def read_record(path: Path, packed: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Return the record among the files inside a model; an empty one where there is none. Raise UsageError."""
    if RECORD not in packed:
        return {}
    try:
        record = json.loads(packed[RECORD])
    except ValueError as error:
        raise UsageError(f"{path}: {RECORD} inside the model is damaged: {error}") from error
    if not isinstance(record, dict):
        raise UsageError(f"{path}: {RECORD} inside the model is damaged: not an object")
    return record


def extract_sealed_weights(path: Path, data: bytes, record: Mapping[str, Any]) -> bytes:
    """Return the model without its zip, whose embeddings need not stay in memory; all of a file without a seal."""
    sealed = record.get("weights_sha256")
    if sealed is None:
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(item.header_offset for item in archive.infolist())
    weights = data[:start]
    if hashlib.sha256(weights).hexdigest() != sealed:
        raise UsageError(f"{path}: the model is damaged: its weights are not those that were sealed; copy it again")
    return weights


def read_colours(record: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Return a number, or one for each of three colours; none where there is neither."""
    value = record.get(key)
    values = value if isinstance(value, list) else [value]
    are_numbers = all(isinstance(one, int | float) and math.isfinite(one) for one in values)
    return tuple(map(float, values)) if are_numbers and len(values) in (1, 3) else ()


def read_golden_photo(path: Path, record: Mapping[str, Any], packed: Mapping[str, bytes]) -> GoldenPhoto | None:
    """Return the golden photo that a record names; None where it names none. Raise UsageError."""
    golden = record.get("golden")
    if golden is None:
        return None
    try:
        scores = tuple(float(score) for score in golden["scores"])
        return GoldenPhoto(packed[golden["file"]], scores, float(golden["tolerance"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: the golden photo inside the model is damaged: {error!r}") from error
