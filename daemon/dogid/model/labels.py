"""Label files: one line per class, in the order of the model's outputs."""

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"\s*(\d+)\s*[:\s]\s*(.*\S)\s*")


def parse_labels(text: str) -> tuple[str, ...]:
    """Given a label file's text, return its labels.

    Lines may be numbered ("0 cat", "0:cat", as Coral's are); the numbers are taken off only where they count the lines
    from 0 or 1, so that labels which begin with a number of their own ("0k back") stay whole.
    """
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    for start in (0, 1):
        if lines and all(match and int(match[1]) == start + at for at, match in enumerate(numbered)):
            return tuple(match[2] for match in numbered if match)
    return tuple(lines)


def check_count(labels: Sequence[str], outputs: int, where: str) -> None:
    """Raise ValueError, showing both sides, where labels do not fit a model with so many outputs."""
    if len(labels) != outputs:
        first = ", ".join(labels[:3]) + (", ..." if len(labels) > 3 else "")
        raise ValueError(f"{where} has {len(labels)} labels ({first}), but the model has {outputs} outputs")
