"""The header of an output folder: which model and source its results are of, and how the photos were read."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from dogid import __version__
from dogid.archive.schema import SCHEMA_VERSION, ModelFacts
from dogid.archive.storage import Storage
from dogid.errors import DogidError, UsageError
from dogid.settings import DECODING_SETTINGS, Settings

HEADER = "dogid-batch.json"


@dataclass(frozen=True, slots=True)
class Header:
    """What all results of an output folder have in common."""

    source: str
    """As `Source.name`; of the run that began the folder."""
    root: str
    """As `Source.root`."""
    model: ModelFacts
    fed: dict[str, Any]
    """How the model is fed, where the settings say so: normalisation, channels, size."""
    limits: dict[str, float]
    """Of the last run, by the names of the settings: photos that were too large are tried again once one is raised."""
    embeddings: bool
    schema: int = SCHEMA_VERSION
    dogid: str = field(default=__version__)


def make_header(source: str, root: str, model: ModelFacts, chosen: Settings, *, embeddings: bool) -> Header:
    """Return the header of results by these settings."""
    fed = {name: str(value) for name in ("normalisation", "channels", "size") if (value := getattr(chosen, name))}
    return Header(source, root, model, fed, describe_limits(chosen), embeddings)


def describe_limits(chosen: Settings) -> dict[str, float]:
    """Return the limits of decoding as a header has them."""
    return {name: float(getattr(chosen, name)) for name in DECODING_SETTINGS}


def read_header(storage: Storage) -> Header | None:
    """Return the header of an output folder; None where it has none.

    Raise UsageError where a later dogid wrote it, DogidError where it is damaged.
    """
    data = storage.read(HEADER)
    if data is None:
        return None
    try:
        document = json.loads(data)
        if int(document["schema"]) > SCHEMA_VERSION:
            raise UsageError(
                f"{storage.title}: its results have schema {document['schema']}, by dogid {document['dogid']}, and this"
                f" is dogid {__version__}, which knows schema {SCHEMA_VERSION}: update it, or name another folder"
            )
        model = document.pop("model")
        return Header(**document, model=ModelFacts(**(model | {"labels": tuple(model["labels"])})))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DogidError(f"{storage.title}/{HEADER} is damaged: {error}; name another folder with -o") from error


def write_header(storage: Storage, header: Header) -> None:
    """Write the header whole. Raise OSError."""
    document = dataclasses.asdict(header) | {"model": header.model._asdict()}
    storage.write(HEADER, json.dumps(document, indent=1).encode())


def check_agreement(place: str, before: Header, now: Header) -> None:
    """Raise UsageError where results by the second header cannot be added to those by the first."""
    other = "name another folder with -o"
    if before.schema != now.schema:
        raise UsageError(f"{place}: its results have schema {before.schema}, and these have {now.schema}: {other}")
    if before.model.sha256 != now.model.sha256:
        raise UsageError(
            f"{place}: has answers of the model {before.model.name} (SHA-256 {before.model.sha256[:16]}), and this is"
            f" {now.model.name} ({now.model.sha256[:16]}): name that model with --model, or {other[5:]}"
        )
    if before.model.labels != now.model.labels or before.fed != now.fed:
        raise UsageError(
            f"{place}: its model was run with {_describe(before)}, and is now with {_describe(now)}: give the same"
            f" flags, or {other}"
        )
    if before.embeddings != now.embeddings:
        has, way_out = ("has embeddings", "give") if before.embeddings else ("has no embeddings", "leave out")
        raise UsageError(f"{place}: {has}: {way_out} --embeddings, or {other}")
    if before.root != now.root:
        raise UsageError(f"{place}: has results of {before.root}, and these photos are in {now.root}: {other}")


def _describe(header: Header) -> str:
    fed = ", ".join(f"{name} {value}" for name, value in header.fed.items())
    labels = f"{len(header.model.labels)} labels ({', '.join(header.model.labels[:3])} ...)"
    return f"{labels}, {fed}" if fed else labels
