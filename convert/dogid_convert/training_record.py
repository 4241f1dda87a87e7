"""What a graph's training recorded beside it, for the model that is made of the graph."""

import json
from pathlib import Path
from typing import Any

_REPORT = "report.json"


def training_data(graph: Path, sha256: str) -> dict[str, Any]:
    """Return {"trained_on": its photos' version and number}, {} where no report tells it of this graph.

    sha256 is the graph's, in hex: a report that was left by another training is not believed.
    """
    try:
        report = json.loads((graph.parent / _REPORT).read_text(encoding="utf-8"))
        if report["graph"]["sha256"] != sha256:
            return {}
        data, photos = report["data"], report["photos"]
        return {"trained_on": {"data_version": data["version"], "photos": photos["trained_on"]}}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
