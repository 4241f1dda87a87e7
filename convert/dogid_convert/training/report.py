"""The output of a training: its files, and its figures as JSON and as a table."""

import hashlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dogid import __version__
from dogid.dataset.labelled_photos import Dataset
from dogid.evaluation.confusion_text import format_confusion
from dogid.file_names import join_names, shown_name
from dogid.model import training_embeddings
from dogid.quantities import count_of
from dogid.system.atomic_files import write_all_atomically
from dogid_convert.data import manifest
from dogid_convert.reports.confusion_png import draw_confusion
from dogid_convert.reports.training_report import EMBEDDINGS, GRAPH, REPORT
from dogid_convert.support import interruption
from dogid_convert.training import charts
from dogid_convert.training.backbone import MEAN, STD
from dogid_convert.training.early_stopping import Epoch, Metrics, TrainingHistory
from dogid_convert.training.fine_tuning import Schedule
from dogid_convert.training.head_choice import CANDIDATES, ChosenHead
from dogid_convert.training.holdout import HeldOutEvaluation
from dogid_convert.training.moved_weights import measure_moved_weights
from dogid_convert.training.recipe import Recipe
from dogid_convert.training.report_page import render_training_page
from dogid_convert.training.retrain import RetrainResult

LABELS, PAGE = "retrained_labels.txt", "report.html"
CURVES, CONFUSION = "learning_curves.png", "confusion_matrix.png"

_VERSION_SHOWN = 12  # hex digits


def build_document(result: RetrainResult, recipe: Recipe, graph: bytes) -> dict[str, Any]:
    """Return report.json as dicts and lists; the same for the same inputs, without times or paths."""
    backbone = result.backbone
    labels = result.dataset.labels
    return {
        "labels": list(labels),
        "photos": {
            "per_label": result.dataset.counts(),
            "trained_on": sum(result.trained_on.values()),
            "trained_on_per_label": result.trained_on,
            "stopped_by": result.validated_on,
            "unreadable": len(result.unreadable),
            "skipped": _skipped(result.manifest),
            "repeats": result.dataset.repeats,
            "conflicting_labels": _conflicts(result.dataset),
        },
        "data": {
            "version": result.manifest.version,
            "files": len(result.manifest.entries),
            "manifest": manifest.MANIFEST,
        },
        "graph": {"file": GRAPH, "sha256": hashlib.sha256(graph).hexdigest()},
        "base": {"name": Path(backbone.name).name, "sha256": backbone.sha256, "embedding": backbone.embedding},
        "bases": [
            {"name": Path(trial.backbone.name).name, "sha256": trial.backbone.sha256, "loss": _rounded(trial.loss)}
            for trial in result.trials
        ],
        "input": {"name": "input", "width": backbone.size[0], "height": backbone.size[1], "mean": MEAN, "std": STD},
        "recipe": {
            "seed": recipe.seed,
            "augment": recipe.augmentations,
            "fine_tune": recipe.convolutions,
            "cut": result.cut,
            "use_all": recipe.use_all,
            "group_by": recipe.group_by.pattern if recipe.group_by else None,
            "balance_groups": recipe.group_balance,
            "class_weight": recipe.class_weight,
            "prior": recipe.prior,
            "patience": recipe.patience,
            "schedule": _schedule(recipe.schedule) if recipe.convolutions else None,
        },
        "head": _head(result.chosen),
        "network": asdict(measure_moved_weights(backbone.graph, graph)),
        "learning": _history(result.history) if result.history else None,
        "temperature": result.temperature,
        "held_out": _evaluation(result.held_out, labels),
        "by_group": _evaluation(result.by_group, labels),
        "groups_always_trained": list(result.groups_always_trained),
        "mistakes": [asdict(photo) for photo in result.misclassified],
        "near_duplicates": asdict(result.near_duplicates),
        "advice": list(result.advice),
        "versions": {"dogid": __version__, "tensorflow": tf.__version__, "numpy": np.__version__},
    }


def _schedule(schedule: Schedule) -> dict[str, float]:
    return {
        "epochs": schedule.epochs,
        "rate": schedule.learning_rate,
        "batch": schedule.batch_size,
        "smoothing": schedule.label_smoothing,
        "dropout": schedule.dropout,
        "pull": schedule.l2_sp,
        "memory": schedule.ema_decay,
    }


def _conflicts(dataset: Dataset) -> list[list[str]]:
    def name(path: Path) -> str:
        return shown_name(os.fsencode(path.relative_to(dataset.root)))

    return [[name(file.path) for file in conflict.files] for conflict in dataset.conflicts]


def _skipped(found: manifest.Manifest) -> list[dict[str, str]]:
    undecoded = [(entry.file, entry.error) for entry in found.entries if entry.error]
    return [{"file": file, "reason": reason} for file, reason in sorted([*undecoded, *found.left_out])]


def _head(chosen: ChosenHead) -> dict[str, Any]:
    return {
        "kind": chosen.candidate.kind,
        "strength": chosen.candidate.strength,
        "name": chosen.candidate.name,
        "cross_validated_on": int(chosen.judged.sum()),
        "temperature": chosen.temperature,
        "losses": {
            candidate.name: float(f"{loss:.6g}")
            for candidate, loss in zip(CANDIDATES, chosen.losses, strict=False)  # none where nothing was judged
        },
    }


def _history(history: TrainingHistory) -> dict[str, Any]:
    last = history.epochs[-1].number
    return {
        "unit": "epoch",
        "kept": history.kept,
        "validation": "validation" if history.patience else "held_out",
        "early_stopping": (
            {"patience": history.patience, "stopped": history.stopped, "after": last} if history.patience else None
        ),
        "epochs": [_epoch(epoch) for epoch in history.epochs],
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    def rounded(score: Metrics | None) -> dict[str, float] | None:
        return (
            None if score is None else {"loss": float(f"{score.loss:.6g}"), "accuracy": float(f"{score.accuracy:.6g}")}
        )

    return {"epoch": epoch.number, "training": rounded(epoch.training), "validation": rounded(epoch.validation)}


def _evaluation(evaluation: HeldOutEvaluation | None, labels: tuple[str, ...]) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    metrics = evaluation.metrics
    return {
        "split": evaluation.split,
        "photos": metrics.photos,
        "accuracy": metrics.accuracy,
        "accuracy_95": [metrics.accuracy_interval.low, metrics.accuracy_interval.high],
        "macro_recall": metrics.macro_recall,
        "macro_recall_95": [metrics.macro_recall_interval.low, metrics.macro_recall_interval.high],
        "unjudged_labels": [label for label, value in zip(labels, metrics.recalls, strict=True) if math.isnan(value)],
        "recall": {label: _nan_to_none(value) for label, value in zip(labels, metrics.recalls, strict=True)},
        "recall_95": {
            label: interval and [interval.low, interval.high]
            for label, interval in zip(labels, metrics.recall_intervals, strict=True)
        },
        "precision": {label: _nan_to_none(value) for label, value in zip(labels, metrics.precisions, strict=True)},
        "expected_calibration_error": metrics.calibration_error,
        "expected_calibration_error_before": evaluation.calibration_error_before,
        "confusion": [list(row) for row in metrics.confusion],
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")


def _nan_to_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def format_table(document: dict[str, Any]) -> str:
    """Return the figures of report.json as a table for the terminal."""
    lines = [
        _photos_line(document["photos"]),
        f"data version {document['data']['version'][:_VERSION_SHOWN]}",
        *_base_lines(document),
        _network_line(document["network"]),
        _head_line(document["head"]),
        *(_stopping_lines(document["learning"]) if document["learning"] else ()),
    ]
    for key in ("held_out", "by_group"):
        evaluation = document[key]
        if evaluation is None:
            continue
        low, high = evaluation["accuracy_95"]
        lines += [
            "",
            f"evaluated on {evaluation['photos']} photos not trained on ({evaluation['split']}):",
            f"  top-1 {evaluation['accuracy']:.1%} (95 %: {low:.1%} to {high:.1%}), macro recall "
            f"{evaluation['macro_recall']:.1%}{_describe_unjudged(evaluation)}",
            f"  expected calibration error {evaluation['expected_calibration_error']:.3f} "
            f"(before the temperature of {document['temperature']:.2f}: "
            f"{evaluation['expected_calibration_error_before']:.3f})",
            *format_confusion(
                key, document["labels"], evaluation["confusion"], complete_in=f"{REPORT} and {CONFUSION}"
            ),
        ]
    return "\n".join(lines)


def _photos_line(photos: dict[str, Any]) -> str:
    per_label = ", ".join(f"{label} {count}" for label, count in photos["trained_on_per_label"].items())
    apart = sum(photos["per_label"].values()) - photos["trained_on"]
    kept = f"; {count_of(apart, 'other')} to judge with" if apart else ""
    return f"trained on {count_of(photos['trained_on'], 'photo')} ({per_label}){kept}"


def _describe_unjudged(evaluation: dict[str, Any]) -> str:
    """Return how many labels macro recall is over, where some have no photo that is judged."""
    unjudged, labels = evaluation["unjudged_labels"], len(evaluation["recall"])
    return f" over {labels - len(unjudged)} of {labels} labels (not {join_names(unjudged)})" if unjudged else ""


def _base_lines(document: dict[str, Any]) -> list[str]:
    bases = document["bases"]
    if len(bases) < 2 or any(base["loss"] is None for base in bases):
        return [f"base: {document['base']['name']}"]
    losses = ", ".join(f"{base['name']} {base['loss']:.3f}" for base in bases)
    return [f"base: {document['base']['name']}, the best by cross-validation (loss: {losses})"]


def _head_line(head: dict[str, Any]) -> str:
    if not head["losses"]:
        return f"last layer: {head['name']}; too few photos to choose it by cross-validation"
    return (
        f"last layer: {head['name']}, the best of {len(head['losses'])} by cross-validation on "
        f"{head['cross_validated_on']} photos"
    )


def _network_line(network: dict[str, Any]) -> str:
    if not network["moved"]:
        return "network before it: as in the base"
    return f"network before it: {network['moved']} of {network['constants']} constants differ from the base's"


def _stopping_lines(learning: dict[str, Any]) -> list[str]:
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
        return [f"fine-tuning {how}, but no epoch was better on validation photos: only the last layer is trained"]
    return [f"training {how}; kept the weights of {unit} {learning['kept']}, the best on validation photos"]


def write_files(result: RetrainResult, graph: bytes, document: dict[str, Any], folder: Path) -> None:
    """Write graph, labels, report, manifest and pictures into folder, all or none. Raise OSError."""
    evaluation = document["by_group"] or document["held_out"]
    files = essential_files(result, document)
    files[PAGE] = render_training_page(result, document, format_table(document)).encode()
    if document["learning"]:
        files[CURVES] = charts.draw_learning_curves(document["learning"])
    if evaluation is not None:
        files[CONFUSION] = draw_confusion(_title(evaluation), document["labels"], evaluation["confusion"])
    interruption.check()
    interruption.defer_sigint_to_exit()
    # the graph is last: a reader that finds a new graph also finds its labels
    write_all_atomically(folder, files | {GRAPH: graph})
    for name in {CURVES, CONFUSION} - files.keys():
        (folder / name).unlink(missing_ok=True)  # of an earlier training


def essential_files(result: RetrainResult, document: dict[str, Any]) -> dict[str, bytes]:
    """Return the files, by name, that a conversion and `dogid data diff` look for beside the graph."""
    return {
        LABELS: "".join(f"{label}\n" for label in result.dataset.labels).encode(),
        manifest.MANIFEST: manifest.as_json(result.manifest).encode(),
        EMBEDDINGS: training_embeddings.encode(result.embeddings),
        REPORT: (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(),
    }


def _title(evaluation: dict[str, Any]) -> str:
    return f"{evaluation['photos']} photos not trained on, top-1 {evaluation['accuracy']:.1%}\n{evaluation['split']}"
