"""The labels of a model as the ledger holds them."""

import json


def parse_labels(text: object) -> list[str] | None:
    """Return the labels in the column of a model; None where the text is no list of them."""
    try:
        labels = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return labels if isinstance(labels, list) and all(isinstance(label, str) for label in labels) else None
