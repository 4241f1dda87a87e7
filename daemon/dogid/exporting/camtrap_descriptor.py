"""The descriptor of a Camtrap DP, `datapackage.json`: what a person wrote into the one before stays."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dogid import __version__
from dogid.errors import UsageError
from dogid.exporting.camtrap_tables import Row

_VERSION = "1.0.2"
_HOME = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{_VERSION}"
DESCRIPTOR = "datapackage.json"
"""The name of its file."""
_SOURCE = "dogid"
_TABLES = ("deployments", "media", "observations")
_POINTS = "MultiPoint"
_MADE_ANEW = ("resources", "profile", "created", "sources", "spatial", "temporal", "taxonomic")
"""Keys of the descriptor that each export writes; all others stay as a person has written them."""


def read_descriptor(folder: Path) -> dict[str, Any] | None:
    """Return the descriptor of a package that dogid wrote; None where there is none. Raise UsageError."""
    path = folder / DESCRIPTOR
    try:
        found = json.loads(path.read_text())
        if not any(source["title"] == _SOURCE for source in found["sources"]):
            return None
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON in UTF-8 ({error}): mend it, or delete it") from error
    except (OSError, LookupError, TypeError):
        return None
    for key in ("project", "spatial"):
        if not isinstance(found.get(key, {}), dict):
            raise UsageError(f"{path}: {key}: must be an object, as {{...}}: mend it, or delete the key")
    for key in ("contributors", "sources", "resources", "taxonomic"):
        each = found.get(key, [])
        if not isinstance(each, list) or not all(isinstance(one, dict) for one in each):
            raise UsageError(f"{path}: {key}: must be a list of objects, as [{{...}}]: mend it, or delete the key")
    return dict(found)


def describe_package(before: Mapping[str, Any], places: list[Row], names: list[str]) -> dict[str, Any]:
    """Return the descriptor: what a person wrote into the one before stays."""
    starts = sorted(row["deploymentStart"][:10] for row in places if row["deploymentStart"])
    ends = sorted(row["deploymentEnd"][:10] for row in places if row["deploymentEnd"])
    points = [[float(row["longitude"]), float(row["latitude"])] for row in places if has_place(row)]
    is_drawn = before.get("spatial", {}).get("type", _POINTS) != _POINTS  # by a person
    project = {
        "title": "",
        "samplingDesign": "",
        "captureMethod": [],
        "individualAnimals": False,
        "observationLevel": ["media"],
    }
    own: dict[str, Any] = {
        "resources": [_resource(name) for name in _TABLES]
        + [{"name": "labels", "path": "labels.csv", "format": "csv", "mediatype": "text/csv", "encoding": "utf-8",
            "description": "What each label of dogid stands for: fill in, and export again."}]
        + [each for each in before.get("resources", ()) if each.get("name") not in (*_TABLES, "labels")],
        "profile": f"{_HOME}/camtrap-dp-profile.json",
        "name": "dogid-export",
        "id": str(uuid.uuid4()),
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "title": "",
        "contributors": [{"title": "", "role": "contact"}],
        "sources": [{"title": _SOURCE, "version": __version__}]
        + [each for each in before.get("sources", ()) if each.get("title") != _SOURCE],
        "project": project,
        "spatial": before["spatial"] if is_drawn else {"type": _POINTS, "coordinates": points},
        "temporal": {"start": starts[0], "end": ends[-1]} if starts and ends else {"start": "", "end": ""},
        "taxonomic": _describe_taxa(before.get("taxonomic", ()), names),
    }  # fmt: skip
    return own | {key: value for key, value in before.items() if key not in _MADE_ANEW}


def _describe_taxa(before: Iterable[Mapping[str, Any]], names: list[str]) -> list[Mapping[str, Any]]:
    """Return the taxa of some scientific names, and those besides of which a person has written more than the name."""
    written = {str(taxon.get("scientificName")): taxon for taxon in before if len(taxon) > 1}
    return [dict(written.pop(name, {})) | {"scientificName": name} for name in names] + list(written.values())


def _resource(name: str) -> dict[str, str]:
    return {
        "name": name,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{_HOME}/{name}-table-schema.json",
    }


def has_place(row: Row) -> bool:
    """Return whether a camera's row says where it stood."""
    try:
        return -90 <= float(row["latitude"]) <= 90 and -180 <= float(row["longitude"]) <= 180
    except ValueError:
        return False
