"""Synthetic parts of a training report."""

from typing import Any


def make_history(stopping: dict[str, Any] | None = None, *, validation: bool = True) -> dict[str, Any]:
    score = {"loss": 0.5, "accuracy": 0.8}
    epochs = [{"epoch": n, "training": score, "validation": score if validation else None} for n in (1, 2, 3, 5, 8)]
    return {"unit": "epoch", "kept": 2, "validation": "validation", "early_stopping": stopping, "epochs": epochs}
