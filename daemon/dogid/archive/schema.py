"""The columns of an archive's results: RESULT's fields as Arrow has them, with their units; and a row of them.

Every part file holds the schema in its own metadata, and there the model by name and SHA-256.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import pyarrow as pa

from dogid import __version__
from dogid.archive.entries import Entry
from dogid.clock import Clock, parse_moment
from dogid.errors import PhotoError
from dogid.result_document import result_document

if TYPE_CHECKING:
    from dogid.archive.source import ReadFile
    from dogid.model.classify_photo import Classification

SCHEMA_VERSION = 1
"""Of the columns. A folder of another version is refused: files of two cannot be read together."""
RETRIED = ("unreadable", "vanished", "internal")
"""Error codes that may be the machine's fault: such photos are tried again in the next run."""

_MOMENT = "microseconds since 1970, UTC"


class ModelFacts(NamedTuple):
    """What results say of the model that gave them."""

    name: str
    """Of its file."""
    sha256: str
    labels: tuple[str, ...]
    network: str | None
    """The SHA-256 of the network that gave the embeddings; None where none are kept."""


class Row(TypedDict):
    """One result, as `table_of` takes it; `schema` has the meaning and the unit of each."""

    id: int
    file: str
    folder: str
    status: str
    label: str | None
    score: float | None
    scores: list[tuple[str, float]]
    unsure: bool | None
    sha256: str | None
    width: int | None
    height: int | None
    size: int | None
    modified_at: int | None
    taken_at: int | None
    exif_taken_at: str | None
    classified_at: int
    model: str | None
    timings_ms: dict[str, float] | None
    error: dict[str, str] | None
    embedding: bytes | None


def schema(model: ModelFacts, *, embeddings: bool) -> pa.Schema:
    """Return the schema of results of a model. The units of fields are in their metadata, under `unit`."""
    text, number = pa.string(), pa.float64()
    fields = [
        _field("id", pa.int64(), "hash of path, size, and ETag or date: identifies this version of the file"),
        _field("file", text, "path relative to the source; what is not UTF-8 is percent-encoded"),
        _field("folder", text, "the part of file before the last slash"),
        _field("status", text, "classified or failed"),
        _field("label", text, "the best label"),
        _field("score", number, "probability, 0 to 1"),
        _field("scores", pa.map_(text, number), "probabilities, 0 to 1, by label, the five best first"),
        _field("unsure", pa.bool_(), "whether the score is below the label's threshold"),
        _field("sha256", text, "of the file's bytes, hexadecimal"),
        _field("width", pa.int32(), "of the photo, upright", "pixels"),
        _field("height", pa.int32(), "of the photo, upright", "pixels"),
        _field("size", pa.int64(), "of the file", "bytes"),
        _field("modified_at", pa.timestamp("us", "UTC"), "of the file", _MOMENT),
        _field("taken_at", pa.timestamp("us", "UTC"), "by EXIF; without a zone, by that of the machine", _MOMENT),
        _field("exif_taken_at", text, "the same as the file says it, ISO 8601"),
        _field("classified_at", pa.timestamp("us", "UTC"), "when it was answered", _MOMENT),
        _field("model", text, "name of the model's file"),
        _field("timings_ms", pa.struct([(name, number) for name in ("decode", "invoke", "total")]), "", "milliseconds"),
        _field("error", pa.struct([("code", text), ("message", text)]), "why it failed"),
    ]
    if embeddings:
        fields.append(_field("embedding", pa.binary(), "what the network makes of the photo, as it gives it"))
    facts = {
        "dogid.schema": str(SCHEMA_VERSION),
        "dogid.version": __version__,
        "dogid.model": model.name,
        "dogid.model_sha256": model.sha256,
        "dogid.labels": json.dumps(model.labels, ensure_ascii=False),
        "dogid.network": model.network or "",
    }
    return pa.schema(fields, metadata=facts)


def _field(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    facts = {"description": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, metadata={key: value for key, value in facts.items() if value})


def table_of(rows: list[Row], columns: pa.Schema) -> pa.Table:
    """Return rows as a table of these columns."""
    return pa.Table.from_pylist(rows, schema=columns)


def classified_row(
    entry: Entry,
    read: "ReadFile",
    photo: "Classification",
    *,
    sha256: str,
    total_ms: float,
    thresholds: Mapping[str, float],
    clock: Clock,
) -> Row:
    """Return the row of a photo that has its answer.

    total_ms: from opening the file to the scores. thresholds: scores (0..1) by label, below which an answer is unsure.
    """
    scores = list(photo.best().items())
    label, score = scores[0]
    return Row(
        id=entry.id,
        file=entry.file,
        folder=entry.file.rpartition("/")[0],
        status="classified",
        label=label,
        score=score,
        scores=scores,
        unsure=score < thresholds.get(label, 0.0),
        sha256=sha256,
        width=photo.width,
        height=photo.height,
        size=read.size,
        modified_at=read.modified_us,
        taken_at=None if photo.taken_at is None else parse_moment(photo.taken_at) * 1000,
        exif_taken_at=photo.taken_at,
        classified_at=clock.wall_ms() * 1000,
        model=photo.model,
        timings_ms={"decode": photo.decode_ms, "invoke": photo.invoke_ms, "total": total_ms},
        error=None,
        embedding=photo.embedding,
    )


def failed_row(entry: Entry, error: PhotoError, clock: Clock) -> Row:
    """Return the row of a photo that cannot have an answer."""
    return Row(
        id=entry.id,
        file=entry.file,
        folder=entry.file.rpartition("/")[0],
        status="failed",
        label=None,
        score=None,
        scores=[],
        unsure=None,
        sha256=None,
        width=None,
        height=None,
        size=entry.size,
        modified_at=entry.modified_us,
        taken_at=None,
        exif_taken_at=None,
        classified_at=clock.wall_ms() * 1000,
        model=None,
        timings_ms=None,
        error={"code": str(error.code), "message": error.message},
        embedding=None,
    )


def moments_as_numbers(table: pa.Table) -> pa.Table:
    """Return a table with its moments as whole microseconds: the dates of files may be beyond what Python can hold."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    return table


def as_result(row: dict[str, Any]) -> dict[str, Any]:
    """Return RESULT of a row of `moments_as_numbers`; its id is the entry's."""
    timings, error = row["timings_ms"] or {}, row["error"] or {}
    result = result_document(
        number=row["id"],
        file=row["file"],
        status=row["status"],
        scores=dict(row["scores"] or ()),
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
        modified_ms=_to_ms(row["modified_at"]),
        taken_ms=_to_ms(row["taken_at"]),
        classified_ms=_to_ms(row["classified_at"]),
        model=row["model"],
        decode_ms=timings.get("decode"),
        invoke_ms=timings.get("invoke"),
        total_ms=timings.get("total"),
        error_code=error.get("code"),
        error_message=error.get("message"),
    )
    return result | {"unsure": row["unsure"]}


def _to_ms(microseconds: int | None) -> int | None:
    return None if microseconds is None else microseconds // 1000
