"""What a training leaves: the files, and the figures for people and for programs."""

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dogid import __version__
from dogid_convert.data import manifest
from dogid_convert.support import interruption
from dogid_convert.support.atomic_files import write_all
from dogid_convert.training import charts
from dogid_convert.training.backbone import MEAN, STD
from dogid_convert.training.early_stopping import Epoch, Learning, Score
from dogid_convert.training.holdout import Judgement
from dogid_convert.training.retrain import Recipe, Retrained

GRAPH, LABELS, REPORT = "retrained_graph.pb", "retrained_labels.txt", "report.json"
CURVES, CONFUSION = "learning_curves.png", "confusion_matrix.png"

_VERSION_SHOWN = 12


def as_document(result: Retrained, recipe: Recipe, graph: bytes) -> dict[str, Any]:
    """Return the figures as JSON's kinds; the same for the same inputs, without times or the folder's place."""
    backbone = result.backbone
    labels = result.dataset.labels
    return {
        "labels": list(labels),
        "photos": {
            "per_label": result.dataset.counts(),
            "trained_on": result.trained_on,
            "stopped_by": result.stopped_by,
            "unreadable": len(result.unreadable),
            "skipped": _skipped(result.manifest),
            "repeats": result.dataset.repeats,
        },
        "data": {
            "version": result.manifest.version,
            "files": len(result.manifest.entries),
            "manifest": manifest.MANIFEST,
        },
        "graph": {"file": GRAPH, "sha256": hashlib.sha256(graph).hexdigest()},
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
            "patience": recipe.patience,
            "schedule": asdict(recipe.schedule) if recipe.convolutions else None,
        },
        "learning": _learning(result.learning),
        "temperature": result.temperature,
        "held_out": _judgement(result.held_out, labels),
        "by_group": _judgement(result.by_group, labels),
        "groups_always_trained": list(result.groups_always_trained),
        "mistakes": [asdict(mistake) for mistake in result.mistakes],
        "versions": {"dogid": __version__, "tensorflow": tf.__version__, "numpy": np.__version__},
    }


def _skipped(found: manifest.Manifest) -> list[dict[str, str]]:
    undecoded = [(entry.file, entry.error) for entry in found.entries if entry.error]
    return [{"file": file, "reason": reason} for file, reason in sorted([*undecoded, *found.left_out])]


def _learning(learning: Learning) -> dict[str, Any]:
    last = learning.epochs[-1].number
    return {
        "unit": "step" if learning.steps else "epoch",
        "kept": learning.kept,
        "validation": "validation" if learning.patience else "held_out",
        "early_stopping": (
            {"patience": learning.patience, "stopped": learning.stopped, "after": last} if learning.patience else None
        ),
        "epochs": [_epoch(epoch) for epoch in learning.epochs],
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    def rounded(score: Score | None) -> dict[str, float] | None:
        return (
            None if score is None else {"loss": float(f"{score.loss:.6g}"), "accuracy": float(f"{score.accuracy:.6g}")}
        )

    return {"epoch": epoch.number, "training": rounded(epoch.training), "validation": rounded(epoch.validation)}


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
    data = document["data"]
    lines = [
        f"trained on {document['photos']['trained_on']} of these photos: {told}",
        f"data version {data['version'][:_VERSION_SHOWN]} ({data['manifest']})",
        *_stopping(document["learning"]),
    ]
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


def _stopping(learning: dict[str, Any]) -> list[str]:
    stopping, unit, last = learning["early_stopping"], learning["unit"], learning["epochs"][-1]
    if stopping is None:
        return []
    if stopping["stopped"]:
        how = f"stopped after {unit} {stopping['after']}"
    elif learning["kept"] == last["epoch"]:
        how = f"went on to its planned end, {unit} {last['epoch']}, and was still learning: more may help"
    else:
        how = f"went on to its planned end, {unit} {last['epoch']}"
    if learning["kept"] == 0:
        return [f"fine-tuning {how}, but made nothing better on validation photos: only the last layer is trained"]
    return [f"training {how}; kept the weights of {unit} {learning['kept']}, the best on validation photos"]


def write(result: Retrained, graph: bytes, document: dict[str, Any], folder: Path) -> None:
    """Write graph, labels, report, manifest and pictures into folder, all or none. Raise OSError."""
    told = document["by_group"] or document["held_out"]
    files = {
        LABELS: "".join(f"{label}\n" for label in result.dataset.labels).encode(),
        manifest.MANIFEST: manifest.as_json(result.manifest).encode(),
        REPORT: (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(),
        CURVES: charts.learning_curves(document["learning"]),
    }
    if told is not None:
        files[CONFUSION] = charts.confusion_matrix(document["labels"], told)
    interruption.check()
    interruption.hold_to_the_end()
    # the graph comes last: who finds a new graph finds its labels
    write_all(folder, files | {GRAPH: graph})
    if told is None:
        (folder / CONFUSION).unlink(missing_ok=True)  # of an earlier training
