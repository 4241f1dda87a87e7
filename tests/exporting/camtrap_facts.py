"""Facts of Camtrap DP 1.0.2 that a package can break, for tests without a network.

Source: the profile and table schemas at https://github.com/tdwg/camtrap-dp, tag 1.0.2.
"""

import csv
import json
import re
from pathlib import Path

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_TYPES = {"animal", "human", "vehicle", "blank", "unknown", "unclassified"}
_REQUIRED = {
    "deployments": ("deploymentID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
    "media": ("mediaID", "deploymentID", "timestamp", "filePath", "filePublic", "fileMediatype"),
    "observations": (
        "observationID", "deploymentID", "eventStart", "eventEnd", "observationLevel", "observationType",
    ),
}  # fmt: skip
_RULES = {
    **dict.fromkeys(("deploymentStart", "deploymentEnd", "timestamp", "eventStart", "eventEnd"), _MOMENT),
    "classificationTimestamp": _MOMENT,
    "filePath": re.compile(r"[^./~](?!.*\.\.).*|[^./~]"),
    "filePublic": re.compile("true|false"),
    "fileMediatype": re.compile(r"(image|video|audio)/.*"),
    "observationLevel": re.compile("media|event"),
    "observationType": re.compile("|".join(_TYPES)),
    "classificationMethod": re.compile("human|machine"),
    "classificationProbability": re.compile(r"0|1|[01]\.\d+|\d(\.\d+)?e-\d+"),
    "latitude": re.compile(r"-?\d+(\.\d+)?"),
    "longitude": re.compile(r"-?\d+(\.\d+)?"),
}
_DESCRIBED = ("resources", "profile", "created", "contributors", "project", "spatial", "temporal", "taxonomic")


def read_table(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of one of the package's tables."""
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def list_faults(folder: Path) -> list[str]:
    """Return what is wrong with a package: none of it, where it is one."""
    tables = {name: read_table(folder, name) for name in _REQUIRED}
    faults = []
    for name, rows in tables.items():
        key = _REQUIRED[name][0]
        if len({row[key] for row in rows}) != len(rows):
            faults.append(f"{name}.{key} is not unique")
        for row in rows:
            faults += [f"{name}.{column} is missing" for column in _REQUIRED[name] if not row[column]]
            faults += [
                f"{name}.{column}: {cell!r}"
                for column, cell in row.items()
                if cell and column in _RULES and not _RULES[column].fullmatch(cell)
            ]
    deployments = {row["deploymentID"] for row in tables["deployments"]}
    media = {row["mediaID"] for row in tables["media"]}
    strangers = {row["deploymentID"] for name in ("media", "observations") for row in tables[name]} - deployments
    strangers |= {row["mediaID"] for row in tables["observations"]} - media
    return sorted({*faults, *(f"{name} is nowhere" for name in strangers), *_list_faults_of_descriptor(folder)})


def _list_faults_of_descriptor(folder: Path) -> list[str]:
    package = json.loads((folder / "datapackage.json").read_text())
    faults = [f"{key} is missing" for key in _DESCRIBED if key not in package]
    project = package["project"]
    faults += [f"project.{key} is missing" for key in ("title", "samplingDesign", "captureMethod") if not project[key]]
    if not all(person["title"] for person in package["contributors"]):
        faults.append("contributors is missing")
    for resource in package["resources"]:
        if resource["name"] in _REQUIRED and f"/1.0.2/{resource['name']}-table-schema.json" not in resource["schema"]:
            faults.append(f"schema of {resource['name']}")
    if not package["profile"].endswith("/1.0.2/camtrap-dp-profile.json"):
        faults.append("profile")
    return faults
