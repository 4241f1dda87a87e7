"""Reading the report that `training/report.py` writes beside a graph."""

import json
from pathlib import Path
from typing import Any

from dogid.model.member_names import TRAINING_EMBEDDINGS

GRAPH, REPORT, EMBEDDINGS = "retrained_graph.pb", "report.json", TRAINING_EMBEDDINGS
"""Names of files that a training writes."""


def read_recorded_normalisation(graph: Path) -> tuple[float, float] | None:
    """Return (mean, std) of the input of a graph as its training recorded them, None where no report does."""
    try:
        recorded = _read(graph)["input"]
        mean, std = float(recorded["mean"]), float(recorded["std"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (mean, std) if std > 0 else None


def read_recorded_data(graph: Path, sha256: str) -> dict[str, Any] | None:
    """Return the version and the number of the photos that a graph was trained on, None where no report gives them.

    sha256 is the graph's, in hex: the report of another training is not used.
    """
    try:
        report = _read(graph)
        if report["graph"]["sha256"] != sha256:
            return None
        return {"data_version": report["data"]["version"], "photos": report["photos"]["trained_on"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_recorded_embeddings(graph: Path, sha256: str) -> bytes | None:
    """Return the file of the embeddings of a graph's training photos, None where its training left none.

    sha256 is the graph's, in hex.
    """
    if read_recorded_data(graph, sha256) is None:
        return None
    try:
        return (graph.parent / EMBEDDINGS).read_bytes()
    except OSError:
        return None


def _read(graph: Path) -> Any:
    return json.loads((graph.parent / REPORT).read_text(encoding="utf-8"))
