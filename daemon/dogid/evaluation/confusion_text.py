"""A confusion matrix as lines for a terminal."""

from collections.abc import Sequence

_MOST_LABELS = 12
"""More do not fit beside each other into a usual terminal."""

_LONGEST = 24  # characters of a row's label


def format_confusion(
    title: str, labels: Sequence[str], counts: Sequence[Sequence[int]], *, complete_in: str
) -> list[str]:
    """Return a table with a row per true label, a column per answered one, and each row's recall.

    counts are [true label][answer]; complete_in is where matrices that are too large for a terminal can be read.
    """
    if len(labels) > _MOST_LABELS:
        return [f"{title}: confusion matrix of {len(labels)} labels in {complete_in}"]
    width = max(8, *(min(len(label), _LONGEST - 4) for label in labels)) + 2
    cells = "".join(f"{label[: width - 2]:>{width}}" for label in labels)
    lines = [f"{title + ': true, answered':<{_LONGEST + 2}}{cells}{'recall':>{width}}"]
    for place, (label, row) in enumerate(zip(labels, counts, strict=True)):
        recall = f"{row[place] / sum(row):.1%}" if sum(row) else "-"
        cells = "".join(f"{count:>{width}}" for count in row)
        lines.append(f"  {label[:_LONGEST]:<{_LONGEST}}{cells}{recall:>{width}}")
    return lines
