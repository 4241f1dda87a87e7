"""Results as a batch file of MegaDetector, which Timelapse reads.

Source: https://lila.science/megadetector-output-format, version 1.6. dogid looks at whole photos: each has one
detection, whose box is the whole frame, with the classifications.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dogid import __version__
from dogid.exporting.label_kinds import LabelKind, guess_kind
from dogid.result_document import Result

BEGINNING = '{"images": ['
_WRITER = "dogid "
_CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle", "4": "unknown"}
_CATEGORY_OF = {LabelKind.ANIMAL: "1", LabelKind.HUMAN: "2", LabelKind.VEHICLE: "3", LabelKind.UNKNOWN: "4"}
_WHOLE_FRAME = (0.0, 0.0, 1.0, 1.0)
_BLANK = "(blank)"
"""In the place of a label without a visible character: names of classes cannot be blank."""
_VIDEO_NAMES = (".mp4", ".avi", ".mpeg", ".mpg", ".mov", ".mkv", ".flv")
"""Ends of names that are taken for videos. A photo with such a name is one of a single frame."""
_encode = json.JSONEncoder(ensure_ascii=False).encode


def encode_megadetector(batches: Iterable[list[Result]]) -> Iterator[tuple[str, list[Result]]]:
    """Yield parts of the JSON document, each with the results that are in it. Pending photos are left out."""
    classes: dict[str, str] = {}
    models: dict[str, None] = {}
    yield BEGINNING, []
    mark = "\n"
    for batch in batches:
        lines = []
        for result in batch:
            if result["status"] == "pending":
                continue
            models.setdefault(result["model"] or "", None)
            lines.append(mark + _encode(_describe(result, classes)))
            mark = ",\n"
        yield "".join(lines), batch
    ending = {
        "detection_categories": _CATEGORIES,
        "classification_categories": {number: label if label.strip() else _BLANK for label, number in classes.items()},
        "info": {
            "format_version": "1.6",
            "detector": "none: the box is the whole photo",
            "classifier": ", ".join(filter(None, models)) or "none",
            "summary_report": f"{_WRITER}{__version__}",
        },
    }
    yield "\n], " + _encode(ending)[1:] + "\n", []


def is_ending(text: str) -> bool:
    """Whether a text ends as `encode_megadetector` does."""
    _, found, last = text.rpartition('"summary_report": "')
    return bool(found) and last.startswith(_WRITER) and last.endswith('"}}\n')


def _describe(result: Result, classes: dict[str, str]) -> dict[str, object]:
    """Return a photo's entry; labels that come for the first time get a number in classes."""
    entry = _describe_photo(result, classes)
    if result["file"].lower().endswith(_VIDEO_NAMES):
        entry |= {"frame_rate": 1.0, "frames_processed": [0]}
        for detection in entry["detections"] or ():
            detection["frame_number"] = 0
    return entry


def _describe_photo(result: Result, classes: dict[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": result["file"]}
    if result["taken_at"] is not None:
        entry["datetime"] = result["taken_at"]
    word = result["reviewed"]
    if word is not None and word["label"] is None:  # a person is not sure: the model's answer counts no more
        return entry | {"detections": [_detect(LabelKind.UNKNOWN, 1.0, [])]}
    if word is not None:
        scores = {word["label"]: 1.0}  # a person has said so
    elif result["status"] == "failed":
        return entry | {"detections": None, "failure": f"{result['error']['code']}: {result['error']['message']}"}
    else:
        scores = result["scores"]
    label, score = next(iter(scores.items()))
    kind = guess_kind(label)
    if kind is LabelKind.BLANK:
        return entry | {"detections": []}
    pairs: list[list[object]] = [
        [classes.setdefault(name, str(len(classes))), float(each)] for name, each in scores.items()
    ]
    return entry | {"detections": [_detect(kind, float(score), pairs)]}


def _detect(kind: LabelKind, score: float, pairs: list[list[object]]) -> dict[str, object]:
    """Return a detection in the whole frame; pairs: numbers of classes with their scores, the best first."""
    return {"category": _CATEGORY_OF[kind], "conf": score, "bbox": _WHOLE_FRAME, "classifications": pairs}
