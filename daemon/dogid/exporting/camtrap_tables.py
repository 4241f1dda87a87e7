"""The tables of a Camera Trap Data Package, Camtrap DP 1.0.2: their columns, and the rows of a result.

Source: https://camtrap-dp.tdwg.org/data, and the table schemas there.
"""

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dogid.exporting.label_kinds import LabelKind
from dogid.result_document import Result
from dogid.result_table import camera_of, defuse

DEPLOYMENT_COLUMNS = (
    "deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty", "deploymentStart",
    "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay", "cameraHeight", "cameraDepth", "cameraTilt",
    "cameraHeading", "detectionDistance", "timestampIssues", "baitUse", "featureType", "habitat", "deploymentGroups",
    "deploymentTags", "deploymentComments",
)  # fmt: skip
MEDIA_COLUMNS = (
    "mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName", "fileMediatype",
    "exifData", "favorite", "mediaComments",
)  # fmt: skip
OBSERVATION_COLUMNS = (
    "observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel",
    "observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior", "individualID",
    "individualPositionRadius", "individualPositionAngle", "individualSpeed", "bboxX", "bboxY", "bboxWidth",
    "bboxHeight", "classificationMethod", "classifiedBy", "classificationTimestamp", "classificationProbability",
    "observationTags", "observationComments",
)  # fmt: skip
LABEL_COLUMNS = ("label", "observationType", "scientificName")

_IN_INBOX = "(inbox)"
"""Deployment of photos in no folder."""
_ID_DIGITS = 16  # of the content's SHA-256, so that packages of several daemons can be joined
_UNSAFE = re.compile(r"^[./~=+@-]|\.\.|[\x00-\x1f\x7f\u0085\u2028\u2029]")

Row = dict[str, Any]
"""Cells by their columns; those that are left out are empty."""


@dataclass(slots=True)
class Deployment:
    """What the photos of one camera say about it."""

    start: str = ""
    """When its first photo was taken, ISO 8601 with an offset from UTC; empty where no photo says."""
    end: str = ""
    photos: int = 0
    undated: int = 0
    """Photos that do not say when they were taken."""


@dataclass(slots=True)
class LabelMeaning:
    """What a label stands for, as far as it is known."""

    kind: str
    scientific_name: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    """Cells of columns that a person has added."""


def deployment_of(result: Result) -> str:
    """Return the deployment that a photo belongs to: its first folder."""
    return _safe_path(camera_of(result)) or _IN_INBOX


def local_time(utc: str | None) -> str:
    """Given UTC as RESULT has it, return the machine's local time with its offset, to the second; empty for none."""
    if utc is None:
        return ""
    try:
        return datetime.fromisoformat(utc).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # the first and last days of the calendar
        return utc[:19] + "Z"


def media_row(result: Result) -> Row:
    """Return a photo's row of media."""
    return {
        "mediaID": _media_id(result),
        "deploymentID": deployment_of(result),
        "timestamp": local_time(result["taken_at"]),
        "filePath": _safe_path(result["file"]),
        "filePublic": "false",
        "fileName": _safe_path(result["file"].rpartition("/")[2]),
        "fileMediatype": "" if result["status"] == "failed" else _media_type(result["file"]),
        "mediaComments": result["error"]["message"] if result["status"] == "failed" else "",
    }


def observation_row(result: Result, labels: Mapping[str, LabelMeaning]) -> Row:
    """Return a photo's row of observations, by a person's word where there is one; labels knows its label."""
    taken_at = local_time(result["taken_at"])
    row: Row = {
        "observationID": f"{_media_id(result)}-observation",
        "deploymentID": deployment_of(result),
        "mediaID": _media_id(result),
        "eventStart": taken_at,
        "eventEnd": taken_at,
        "observationLevel": "media",
    }
    word, label = result["reviewed"], said_label(result)
    if word is not None:
        row |= {
            "classificationMethod": "human",
            "classifiedBy": defuse(word["by"]),
            "classificationTimestamp": local_time(word["at"]),
        }
    elif label is not None:
        row |= {
            "classificationMethod": "machine",
            "classifiedBy": defuse(result["model"]),
            "classificationTimestamp": local_time(result["classified_at"]),
            "classificationProbability": min(1.0, result["score"]),
        }
    if label is None:
        return row | {"observationType": str(LabelKind.UNKNOWN) if word is not None else "unclassified"}
    unsure = " | certainty:unsure" if word is None and result["unsure"] else ""
    meaning = labels[label]
    return row | {
        "observationType": meaning.kind,
        "scientificName": meaning.scientific_name if meaning.kind == LabelKind.ANIMAL else "",
        "observationTags": f"label:{label.replace('|', ' ')}{unsure}",
    }


def said_label(result: Result) -> str | None:
    """Return the label that counts: a person's, else the model's; None where neither has one."""
    word = result["reviewed"]
    label: str | None = result["label"] if word is None else word["label"]
    return label


def _media_type(file: str) -> str:
    """Return the media type of a photo that was decoded: its name says which, where it says an image's."""
    kind = mimetypes.guess_type(file)[0]
    return kind if kind is not None and kind.startswith("image/") else "image/*"


def _media_id(result: Result) -> str:
    return f"{(result['sha256'] or 'unread')[:_ID_DIGITS]}-{result['id']}"


def _safe_path(file: str) -> str:
    """Return a path in one line that neither leads out of the package, which Camtrap DP refuses, nor is a formula."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), file)
