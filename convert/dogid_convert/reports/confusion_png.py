"""A confusion matrix as a picture. The same counts give the same bytes.

The colour map `Blues` can be read with any colour vision; numbers give the counts, too.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dogid_convert.reports.figures import DPI, default_style, encode_png

_LONGEST_LABEL = 28  # characters
_SMALLEST_PRINT = 4.5  # points; smaller numbers are left out
_MARGIN = 2.6  # inches beside the matrix
_WIDEST = 30.0  # inches


def draw_confusion(title: str, labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> bytes:
    """Return a PNG of the matrix with rows and columns named; confusion is [true label][answer], counts of photos."""
    counts = np.array(confusion, dtype=np.int64)
    side = float(np.clip(0.34 * len(labels) + 0.4, 3.2, _WIDEST - _MARGIN))
    cell = side / len(labels)  # inches
    with default_style():
        figure = Figure(figsize=(side + _MARGIN, side + _MARGIN - 0.4), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
        # the root makes a few mistakes among many right answers visible
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="equal")
        _name_rows_and_columns(axes, labels, totals.ravel(), cell)
        _number_cells(axes, counts, shares, cell)
        axes.set_title(title, fontsize=10, loc="left", parse_math=False)
        bar = figure.colorbar(image, ax=axes, shrink=min(0.7, 5 / side), aspect=25, ticks=[0, 0.05, 0.25, 0.5, 1])
        bar.ax.set_yticklabels(["0 %", "5 %", "25 %", "50 %", "100 %"], fontsize=8)
        bar.set_label("share of the label's photos (row)", fontsize=9)
        return encode_png(figure)


def _name_rows_and_columns(axes: Axes, labels: Sequence[str], totals: NDArray[np.int64], cell: float) -> None:
    size = float(np.clip(cell * 72 * 0.55, 6.0, 10.0))  # points
    every = int(np.ceil(size * 1.15 / (cell * 72)))  # of a thousand labels, those that there is room for
    places = np.arange(0, len(labels), every)
    names = [_shortened(labels[int(i)]) for i in places]
    # a dollar sign in a label does not begin a formula
    axes.set_xticks(places, names, rotation=45 if cell > 0.5 else 90, fontsize=size, parse_math=False)
    if cell > 0.5:
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    rows = [f"{name} ({totals[i]})" for name, i in zip(names, places, strict=True)]
    axes.set_yticks(places, rows, fontsize=size, parse_math=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("label (its photos)")
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white" if cell > 0.5 else "#E8EEF5", linewidth=min(1.5, 2 * cell))
    axes.tick_params(which="minor", length=0)


def _number_cells(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64], cell: float) -> None:
    digits = max(2, len(str(counts.max())))
    size = min(12.0, cell * 72 * 0.5, cell * 72 * 1.2 / digits)  # points
    if size < _SMALLEST_PRINT:
        return
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = shares[row, column] > 0.35
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else "black",
            fontweight="bold" if row == column else "normal",
        )


def _shortened(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
