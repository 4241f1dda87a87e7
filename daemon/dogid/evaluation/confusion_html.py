"""A confusion matrix as HTML: a picture of few labels, a table of the most frequent mistakes among many."""

from collections.abc import Sequence
from html import escape
from typing import TypeAlias

import numpy as np

CONFUSION_STYLE = """svg text { font: 12px system-ui, sans-serif; fill: var(--ink) } svg rect { stroke: var(--line) }
svg text.on { fill: #fff }
"""
"""For the page's style sheet, which defines the colours --ink and --line."""

_CELL = 44  # pixels a side
_LONGEST = 18  # letters of a label beside a matrix
_DRAWN_LABELS = 20  # more, and a matrix is wider than a page
_SHOWN_PAIRS = 25

Counts: TypeAlias = Sequence[Sequence[int]]
"""[true label][answer]."""


def render_confusion(name: str, labels: Sequence[str], counts: Counts) -> str:
    """Return the element that shows the confusion matrix of the model called name."""
    if len(labels) > _DRAWN_LABELS:
        return f"<p>{len(labels)} labels: the most frequent mistakes.</p>{_most_confused(labels, counts)}"
    return _matrix(name, labels, counts)


def _most_confused(labels: Sequence[str], counts: Counts) -> str:
    mistakes = np.array(counts)
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:_SHOWN_PAIRS]
    rows = [divmod(int(place), len(labels)) for place in order]
    body = "".join(
        f'<tr><td>{escape(labels[true])}</td><td>{escape(labels[answer])}</td><td class="count">'
        f"{mistakes[true, answer]} of {sum(counts[true])}</td></tr>"
        for true, answer in rows
        if mistakes[true, answer]
    )
    if not body:
        return "<p>No label was confused with another.</p>"
    return f"<table><thead><tr><th>is</th><th>answered</th><th>photos</th></tr></thead><tbody>{body}</tbody></table>"


def _matrix(name: str, labels: Sequence[str], counts: Counts) -> str:
    margin = _margin(labels)
    side = margin + _CELL * len(labels) + 4
    # labels above are turned and lean out to the right
    width = side + margin // 2
    drawn = []
    for row, (label, line) in enumerate(zip(labels, counts, strict=True)):
        y = margin + row * _CELL
        drawn.append(f'<text x="{margin - 6}" y="{y + 27}" text-anchor="end">{_shown(label)}</text>')
        for column, count in enumerate(line):
            drawn.append(_cell(margin + column * _CELL, y, count, sum(line), right=row == column))
    for column, label in enumerate(labels):
        x, y = margin + column * _CELL + 26, margin - 6
        drawn.append(f'<text x="{x}" y="{y}" transform="rotate(-60 {x} {y})">{_shown(label)}</text>')
    photos, right = sum(map(sum, counts)), sum(line[i] for i, line in enumerate(counts))
    described = f"confusion matrix of {escape(name, quote=True)}: {right / photos:.1%} of {photos} right"
    return (
        f'<svg role="img" aria-label="{described}" width="{width}" height="{side}" viewBox="0 0 {width} {side}">'
        f"{''.join(drawn)}</svg>"
    )


def _margin(labels: Sequence[str]) -> int:
    return 24 + 7 * min(_LONGEST, max(len(label) for label in labels))


def _shown(label: str) -> str:
    whole = escape(label)
    return whole if len(label) <= _LONGEST else f"<title>{whole}</title>{escape(label[: _LONGEST - 1])}\u2026"


def _cell(x: int, y: int, count: int, total: int, *, right: bool) -> str:
    share = count / total if total else 0.0
    colour = "0,110,80" if right else "190,20,40"
    on = ' class="on"' if share > 0.55 else ""
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="rgba({colour},{share:.3f})"/>'
        f'<text x="{x + _CELL // 2}" y="{y + 27}" text-anchor="middle"{on}>{count or ""}</text>'
    )
