"""Labels that are probably one, spelt differently."""

import re
from collections.abc import Sequence


def find_alike(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Return each group of labels that differ in capitals, blanks, `_` and `-` only, as Poodle and poodle do."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(re.sub(r"[\s_-]+", "", label.casefold()), []).append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]
