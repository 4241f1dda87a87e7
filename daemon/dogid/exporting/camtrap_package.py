"""Results as a Camera Trap Data Package, Camtrap DP 1.0.2: what GBIF and camera trap programs read.

Source: https://camtrap-dp.tdwg.org. What dogid cannot know, such as where a camera stood, is left empty for a person to
fill in; a later export into the same folder keeps it.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from dogid.errors import UsageError
from dogid.exporting.camtrap_descriptor import DESCRIPTOR, describe_package, has_place, read_descriptor
from dogid.exporting.camtrap_tables import (
    DEPLOYMENT_COLUMNS,
    LABEL_COLUMNS,
    MEDIA_COLUMNS,
    OBSERVATION_COLUMNS,
    Deployment,
    LabelMeaning,
    Row,
    deployment_of,
    media_row,
    observation_row,
    said_label,
)
from dogid.exporting.former_camtrap_tables import read_deployments, read_labels
from dogid.exporting.label_kinds import LabelKind, guess_kind
from dogid.exporting.whole_files import WholeFiles
from dogid.quantities import count_of
from dogid.result_document import Result
from dogid.result_table import defuse

_OTHERS = "other-deployments.csv"
"""Rows of cameras that have no photo in this export, no part of the package: a deployment without photos would say that
its camera saw nothing."""
_KEPT_LABELS = 10_000  # more are no labels of a person's, and their table would take the memory of a small machine


@dataclass(frozen=True, slots=True)
class PackageReport:
    """What was written, and what a person has to add."""

    photos: int
    deployments: int
    missing: tuple[str, ...]
    """Each names a file, what is missing there, and why."""
    others: tuple[str, ...]
    """Cameras whose rows are kept in a file beside the package, as this export has no photo of them."""


def check_folder(folder: Path) -> None:
    """Raise UsageError where a folder has files that no export of this kind wrote."""
    if folder.is_file():
        raise UsageError(f"{folder} is a file: name a folder for the package with -o")
    if folder.is_dir() and any(folder.iterdir()) and read_descriptor(folder) is None:
        raise UsageError(f"{folder} has other files in it: name an empty or a new folder with -o")


def write_package(
    batches: Iterable[list[Result]], folder: Path, on_batch: Callable[[list[Result]], None]
) -> PackageReport:
    """Write results, pending ones not, as a package into a folder.

    on_batch is called with results as they are written. Raise UsageError, as `check_folder`; OSError where
    nothing was written, PartlyWrittenError.
    """
    check_folder(folder)
    before = read_descriptor(folder) or {}
    kept = read_deployments(folder / _OTHERS) | read_deployments(folder / "deployments.csv")
    labels = read_labels(folder / "labels.csv")
    deployments: dict[str, Deployment] = {}
    used: set[str] = set()
    photos = failed = 0
    with WholeFiles(folder) as files:
        media = _TableFile(files.open("media.csv"), MEDIA_COLUMNS)
        observations = _TableFile(files.open("observations.csv"), OBSERVATION_COLUMNS)
        for batch in batches:
            shown = [result for result in batch if result["status"] != "pending"]
            for result in shown:
                label = said_label(result)
                if label is not None:
                    used.add(label)
                    labels.setdefault(label, LabelMeaning(guess_kind(label)))
            rows = [media_row(result) for result in shown]
            for result, row in zip(shown, rows, strict=True):
                _count(deployments.setdefault(deployment_of(result), Deployment()), row["timestamp"])
            media.write(rows)
            observations.write(observation_row(result, labels) for result in shown)
            photos += len(shown)
            failed += sum(result["status"] == "failed" for result in shown)
            on_batch(batch)
        places = [_deployment_row(name, found, kept.get(name, {})) for name, found in sorted(deployments.items())]
        others = [row for name, row in sorted(kept.items()) if name not in deployments]
        columns = _columns_of(DEPLOYMENT_COLUMNS, kept.values())
        if others or (folder / _OTHERS).exists():
            _TableFile(files.open(_OTHERS), columns).write(others)
        _TableFile(files.open("deployments.csv"), columns).write(places)
        meanings = list(_label_rows(labels))
        _TableFile(files.open("labels.csv"), _columns_of(LABEL_COLUMNS, meanings)).write(meanings)
        names = sorted({labels[label].scientific_name for label in used} - {""})
        descriptor = describe_package(before, places, names)
        json.dump(descriptor, files.open(DESCRIPTOR), indent=2, ensure_ascii=False)
        files.commit()
    undated = sum(deployment.undated for deployment in deployments.values())
    nameless = [
        label for label in sorted(used) if labels[label].kind == LabelKind.ANIMAL and not labels[label].scientific_name
    ]
    missing = _list_missing(descriptor, places, undated, failed, nameless)
    return PackageReport(photos, len(deployments), tuple(missing), tuple(row["deploymentID"] for row in others))


class _TableFile:
    """A CSV file with a header."""

    def __init__(self, file: TextIO, columns: tuple[str, ...]) -> None:
        self._writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\r\n")
        self._writer.writeheader()

    def write(self, rows: Iterable[Row]) -> None:
        self._writer.writerows(rows)


def _label_rows(labels: Mapping[str, LabelMeaning]) -> Iterable[Row]:
    """Yield the rows of labels.csv; where there are too many labels, those not filled in are left out."""
    most = sorted(labels, key=lambda label: (not labels[label].scientific_name, label))[:_KEPT_LABELS]
    for label in sorted(most):
        meaning = labels[label]
        row = {"label": defuse(label), "observationType": str(meaning.kind), "scientificName": meaning.scientific_name}
        yield row | dict(meaning.others)


def _columns_of(columns: tuple[str, ...], rows: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the columns of a table, and behind them those that a person has added."""
    return tuple(dict.fromkeys((*columns, *(column for row in rows for column in row))))


def _count(deployment: Deployment, taken_at: str) -> None:
    deployment.photos += 1
    if not taken_at:
        deployment.undated += 1
        return
    deployment.start = min(filter(None, (deployment.start, taken_at)), key=_moment)
    deployment.end = max(filter(None, (deployment.end, taken_at)), key=_moment)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _deployment_row(name: str, found: Deployment, kept: Mapping[str, str]) -> Row:
    """Return a camera's row: what a person has filled in stays, and its dates become wider only."""
    row: Row = dict.fromkeys(DEPLOYMENT_COLUMNS, "") | dict(kept)
    row["deploymentID"] = name
    row["locationName"] = row["locationName"] or name
    for column in ("latitude", "longitude"):
        row[column] = row[column].strip().replace(",", ".")
    row["deploymentStart"] = _choose(min, row["deploymentStart"], found.start)
    row["deploymentEnd"] = _choose(max, row["deploymentEnd"], found.end)
    return row


def _choose(function: Callable[..., str], kept: str, found: str) -> str:
    try:
        return function(filter(None, (kept, found)), key=_moment)
    except (ValueError, TypeError):  # neither is there, or a person wrote something else, or a time without an offset
        return kept or found


def _list_missing(
    descriptor: Mapping[str, Any], places: list[Row], undated: int, failed: int, nameless: list[str]
) -> Iterable[str]:
    homeless = [row["deploymentID"] for row in places if not has_place(row)]
    if homeless:
        yield f"deployments.csv: latitude and longitude of {_join(homeless)}"
    if undated:
        yield f"media.csv, observations.csv: when {count_of(undated, 'photo')} without a date in the EXIF were taken"
    if failed:
        yield f"media.csv: fileMediatype of {count_of(failed, 'file')} that could not be read"
    if nameless:
        yield f"labels.csv: the scientificName of {_join(nameless)}, or another observationType"
    project = descriptor["project"]
    empty = [f"project.{key}" for key in ("title", "samplingDesign", "captureMethod") if not project.get(key)]
    if not all(person.get("title") for person in descriptor["contributors"]):
        empty.append("contributors")
    if empty:
        yield f"{DESCRIPTOR}: {', '.join(empty)}"


def _join(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
