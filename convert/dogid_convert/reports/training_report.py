"""Reading the report that `training/report.py` writes beside a graph."""

import json
from pathlib import Path
from typing import Any

GRAPH, REPORT = "retrained_graph.pb", "report.json"
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


def _read(graph: Path) -> Any:
    return json.loads((graph.parent / REPORT).read_text(encoding="utf-8"))
