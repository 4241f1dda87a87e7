"""Pictures of a training, drawn from its report. The same report gives the same bytes.

Colours are Okabe and Ito's and the map `Blues`, which people with any colour vision can tell apart; what colour says
is also said by markers, lines and numbers.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#595959"
_DPI = 120
_LONGEST_LABEL = 28  # characters
_SMALLEST_PRINT = 4.5  # points; smaller numbers are left out
_MARGIN = 2.6  # inches beside the matrix
_WIDEST = 30.0  # inches


def learning_curves(learning: dict[str, Any]) -> bytes:
    """Return a PNG of loss and accuracy per epoch, given a report's `learning`."""
    with _plainly():
        figure = Figure(figsize=(10, 4.2), dpi=_DPI, layout="constrained")
        loss, accuracy = figure.subplots(1, 2)
        _curve(loss, learning, "loss", "loss (nats; lower is better)")
        _curve(accuracy, learning, "accuracy", "top-1 accuracy (higher is better)")
        accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
        loss.set_ylim(bottom=0)
        accuracy.set_ylim(top=1.01)
        handles, names = loss.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
        return _png(figure)


def confusion_matrix(labels: list[str], judgement: dict[str, Any]) -> bytes:
    """Return a PNG of the confusion matrix, given a report's labels and one of its judgements."""
    counts = np.array(judgement["confusion"], dtype=np.int64)
    side = float(np.clip(0.34 * len(labels) + 0.4, 3.2, _WIDEST - _MARGIN))
    cell = side / len(labels)  # inches
    with _plainly():
        figure = Figure(figsize=(side + _MARGIN, side + _MARGIN - 0.4), dpi=_DPI, layout="constrained")
        axes = figure.subplots()
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
        # the root makes a few mistakes among many right answers visible
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="equal")
        _name_rows_and_columns(axes, labels, totals.ravel(), cell)
        _number_cells(axes, counts, shares, cell)
        axes.set_title(
            f"{judgement['photos']} photos not trained on, top-1 {judgement['accuracy']:.1%}\n{judgement['split']}",
            fontsize=10,
            loc="left",
        )
        bar = figure.colorbar(image, ax=axes, shrink=min(0.7, 5 / side), aspect=25, ticks=[0, 0.05, 0.25, 0.5, 1])
        bar.ax.set_yticklabels(["0 %", "5 %", "25 %", "50 %", "100 %"], fontsize=8)
        bar.set_label("share of the label's photos (row)", fontsize=9)
        return _png(figure)


def _curve(axes: Axes, learning: dict[str, Any], figure_of: str, title: str) -> None:
    epochs = learning["epochs"]
    numbers = [epoch["epoch"] for epoch in epochs]
    axes.plot(
        numbers, [epoch["training"][figure_of] for epoch in epochs], color=_BLUE, marker="o", ms=4, label="training"
    )
    watched = [epoch["validation"][figure_of] for epoch in epochs if epoch["validation"]]
    if watched:
        name = learning["validation"].replace("_", " ")
        axes.plot(numbers, watched, color=_VERMILLION, marker="s", ms=4, linestyle="--", label=name)
    if learning["early_stopping"]:
        axes.axvline(learning["kept"], color=_GREY, linestyle=":", label=f"kept: {learning['unit']} {learning['kept']}")
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("step of L-BFGS (each looks at all photos)" if learning["unit"] == "step" else "epoch")
    axes.grid(color="#E0E0E0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if learning["unit"] == "step":  # looked at after 1, 2, 3, 5, 8, ... of them
        axes.set_xscale("log")
        shown = [number for i, number in enumerate(numbers) if i % 2 == 0 or number == numbers[-1]]
        axes.set_xticks(shown, [str(number) for number in shown])
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _name_rows_and_columns(axes: Axes, labels: list[str], totals: NDArray[np.int64], cell: float) -> None:
    size = float(np.clip(cell * 72 * 0.55, 6.0, 10.0))  # points
    every = int(np.ceil(size * 1.15 / (cell * 72)))  # of a thousand labels, those that there is room for
    places = np.arange(0, len(labels), every)
    names = [_shortened(labels[i]) for i in places]
    # a dollar sign in a label is no formula
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


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever the user's matplotlibrc says, and without its chatter."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label in letters that no font at hand has is drawn as boxes
        mpl.rcdefaults()
        yield


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    return buffer.getvalue()
