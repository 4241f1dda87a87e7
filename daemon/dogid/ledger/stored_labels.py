"""The labels of a model as the ledger holds them."""

import json
from collections.abc import Sequence


def parse_labels(text: object) -> list[str] | None:
    """Return the labels in the column of a model; None where the text is no list of them."""
    try:
        labels = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return labels if isinstance(labels, list) and all(isinstance(label, str) for label in labels) else None


def find_similar_labels(label: str, known: Sequence[str], count: int) -> list[str]:
    """Return at most count of the known labels that label may be a misspelling of, the most similar first.

    Capitals do not count: ROTTWEILER is rottweiler.
    """
    import difflib  # an idle daemon does not need it

    by_folded: dict[str, list[str]] = {}
    for other in known:
        by_folded.setdefault(other.casefold(), []).append(other)
    found = difflib.get_close_matches(label.casefold(), by_folded, n=count)
    return [other for folded in found for other in by_folded[folded]][:count]
