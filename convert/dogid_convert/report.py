"""What a training leaves: three files, and the figures for people and for programs."""

import json
import math
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dogid import __version__
from dogid_convert.backbone import MEAN, STD
from dogid_convert.judging import Judgement
from dogid_convert.retraining import Recipe, Retrained

GRAPH, LABELS, REPORT = "retrained_graph.pb", "retrained_labels.txt", "report.json"


def as_document(result: Retrained, recipe: Recipe) -> dict[str, Any]:
    """Return the figures as JSON's kinds; the same for the same inputs, without times or the folder's place."""
    backbone = result.backbone
    labels = result.dataset.labels
    return {
        "labels": list(labels),
        "photos": {
            "per_label": result.dataset.counts(),
            "trained_on": result.trained_on,
            "unreadable": len(result.unreadable),
            "repeats": result.dataset.repeats,
        },
        "base": {"name": Path(backbone.name).name, "sha256": backbone.sha256, "embedding": backbone.embedding},
        "input": {"name": "input", "width": backbone.size[0], "height": backbone.size[1], "mean": MEAN, "std": STD},
        "recipe": {
            "seed": recipe.seed,
            "augment": recipe.views,
            "fine_tune": recipe.convolutions,
            "cut": result.cut,
            "use_all": recipe.use_all,
            "group_by": recipe.group_by.pattern if recipe.group_by else None,
            "importance": recipe.importance,
            "prior": recipe.prior,
            "schedule": asdict(recipe.schedule) if recipe.convolutions else None,
        },
        "temperature": result.temperature,
        "held_out": _judgement(result.held_out, labels),
        "by_group": _judgement(result.by_group, labels),
        "groups_always_trained": list(result.groups_always_trained),
        "mistakes": [asdict(mistake) for mistake in result.mistakes],
        "versions": {"dogid": __version__, "tensorflow": tf.__version__, "numpy": np.__version__},
    }


def _judgement(judgement: Judgement | None, labels: tuple[str, ...]) -> dict[str, Any] | None:
    if judgement is None:
        return None
    found = judgement.evaluation
    return {
        "split": judgement.split,
        "photos": found.photos,
        "accuracy": found.accuracy,
        "accuracy_95": [found.accuracy_interval.low, found.accuracy_interval.high],
        "macro_recall": found.macro_recall,
        "macro_recall_95": [found.macro_recall_interval.low, found.macro_recall_interval.high],
        "recall": {label: _number(value) for label, value in zip(labels, found.recalls, strict=True)},
        "precision": {label: _number(value) for label, value in zip(labels, found.precisions, strict=True)},
        "expected_calibration_error": found.calibration_error,
        "expected_calibration_error_before": judgement.calibration_error_before,
        "confusion": [list(row) for row in found.confusion],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def as_table(document: dict[str, Any]) -> str:
    """Return the figures for a person."""
    counts = document["photos"]["per_label"]
    told = ", ".join(f"{label} {count}" for label, count in counts.items())
    lines = [f"trained on {document['photos']['trained_on']} of these photos: {told}"]
    for key in ("held_out", "by_group"):
        judgement = document[key]
        if judgement is None:
            continue
        low, high = judgement["accuracy_95"]
        lines += [
            "",
            f"judged on {judgement['photos']} photos not trained on ({judgement['split']}):",
            f"  top-1 {judgement['accuracy']:.1%} (95 %: {low:.1%} to {high:.1%}), macro recall "
            f"{judgement['macro_recall']:.1%}",
            f"  expected calibration error {judgement['expected_calibration_error']:.3f} "
            f"(before the temperature of {document['temperature']:.2f}: "
            f"{judgement['expected_calibration_error_before']:.3f})",
            *_confusion(document["labels"], judgement),
        ]
    return "\n".join(lines)


def _confusion(labels: list[str], judgement: dict[str, Any]) -> list[str]:
    wide = max(10, *(len(label) for label in labels)) + 1
    head = "  " + "it is".ljust(wide) + "".join(label.rjust(wide) for label in labels) + "recall".rjust(wide)
    rows = []
    for label, row in zip(labels, judgement["confusion"], strict=True):
        recall = judgement["recall"][label]
        told = "-" if recall is None else f"{recall:.1%}"
        rows.append("  " + label.ljust(wide) + "".join(str(n).rjust(wide) for n in row) + told.rjust(wide))
    return [head, *rows]


def write(result: Retrained, document: dict[str, Any], folder: Path) -> None:
    """Write graph, labels and report into folder, each whole or not at all. Raise OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    # the graph comes last: who finds a new graph finds its labels
    _write(folder / LABELS, "".join(f"{label}\n" for label in result.dataset.labels).encode())
    _write(folder / REPORT, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    _write(folder / GRAPH, result.graph.SerializeToString(deterministic=True))


def _write(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
