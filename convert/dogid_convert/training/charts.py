"""Charts of a training, drawn from its report. The same report gives the same bytes.

Colours are Okabe and Ito's, which people with any colour vision can distinguish; lines and markers differ, too.
"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dogid_convert.reports.figures import DPI, default_style, encode_png

_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#595959"


def draw_learning_curves(learning: dict[str, Any]) -> bytes:
    """Return a PNG of loss and accuracy per epoch, given a report's `learning`."""
    with default_style():
        return encode_png(plot_learning_curves(learning))


def plot_learning_curves(learning: dict[str, Any]) -> Figure:
    """Return a figure of two axes, loss and accuracy per epoch, given a report's `learning`."""
    figure = Figure(figsize=(10, 4.2), dpi=DPI, layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    _plot_metric(loss, learning, "loss", "loss (nats; lower is better)")
    _plot_metric(accuracy, learning, "accuracy", "top-1 accuracy (higher is better)")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    loss.set_ylim(bottom=0)
    accuracy.set_ylim(top=1.01)
    handles, names = loss.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    return figure


def _plot_metric(axes: Axes, learning: dict[str, Any], metric: str, title: str) -> None:
    epochs = learning["epochs"]
    numbers = [epoch["epoch"] for epoch in epochs]
    axes.plot(numbers, [epoch["training"][metric] for epoch in epochs], color=_BLUE, marker="o", ms=4, label="training")
    validation = [epoch["validation"][metric] for epoch in epochs if epoch["validation"]]
    if validation:
        name = learning["validation"].replace("_", " ")
        axes.plot(numbers, validation, color=_VERMILLION, marker="s", ms=4, linestyle="--", label=name)
    if learning["early_stopping"]:
        axes.axvline(learning["kept"], color=_GREY, linestyle=":", label=f"kept: {learning['unit']} {learning['kept']}")
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("epoch")
    axes.grid(color="#E0E0E0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
