"""The figures drawn: throughput against photo size and cores, latency against load, memory, and predictions."""

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

from tests.benchmarks.prediction import BOARDS, Cost, fitted

if TYPE_CHECKING:
    from tests.benchmarks.suite import Figures

_NAMES = {
    "limit": "bare limit", "daemon": "dogid", "mediapipe": "MediaPipe", "onnx": "ONNX Runtime + OpenCV",
    "script": "plain LiteRT script", "article": "the article's way",
}  # fmt: skip


def draw(folder: Path, figures: "Figures") -> None:
    """Write scale.png into folder."""
    folder.mkdir(parents=True, exist_ok=True)
    drawing, axes = plt.subplots(2, 3, figsize=(16, 9), layout="constrained")
    _by_size(axes[0, 0], figures)
    _by_cores(axes[0, 1], figures)
    _latency(axes[0, 2], figures)
    _memory(axes[1, 0], figures)
    _ledger(axes[1, 1], figures)
    _boards(axes[1, 2], figures)
    drawing.savefig(folder / "scale.png", dpi=90)
    plt.close(drawing)


def cost(figures: "Figures") -> Cost:
    """The model of what a photo costs, fitted to the daemon's laps."""
    sizes = [race.material.kind.megapixels for race in figures.races]
    spent = [race.cpu_per_1000("daemon") for race in figures.races]
    return fitted(sizes, spent, median(figures.idle_latencies.invoke))


def _by_size(axis: Any, figures: "Figures") -> None:
    sizes = [race.material.kind.megapixels for race in figures.races]
    for name, label in _NAMES.items():
        if all(race.laps.get(name) for race in figures.races):
            speeds = [race.per_second(name) for race in figures.races]
            axis.plot(sizes, speeds, marker="o", label=label, linewidth=2.5 if name == "daemon" else 1.2)
    axis.set(xscale="log", yscale="log", xlabel="megapixels", ylabel="photos/s", title="Throughput by photo size")
    axis.set_xticks(sizes, [race.material.kind.name for race in figures.races])
    axis.legend(fontsize=8)
    axis.grid(visible=True, which="both", alpha=0.3)


def _by_cores(axis: Any, figures: "Figures") -> None:
    cores = [count for count, _ in figures.by_cores]
    speeds = [race.per_second("daemon") for _, race in figures.by_cores]
    axis.bar(range(len(cores)), speeds, width=0.5, label="measured")
    axis.plot(range(len(cores)), [speeds[0] * count / cores[0] for count in cores], "k--", label="proportional")
    axis.set(xlabel="cores", ylabel="photos/s", title=f"dogid by cores, {figures.races[0].material.kind.name} MP")
    axis.set_xticks(range(len(cores)), [str(count) for count in cores])
    axis.legend(fontsize=8)


def _latency(axis: Any, figures: "Figures") -> None:
    shares = [at.share * 100 for at in figures.by_load]
    axis.plot(shares, [at.p50 for at in figures.by_load], marker="o", label="half of the photos (p50)")
    axis.plot(shares, [at.p99 for at in figures.by_load], marker="o", label="99 of 100 (p99)")
    axis.set(
        yscale="log",
        xlabel="arrivals, % of what the daemon takes from a backlog",
        ylabel="ms from the rename to the commit",
        title="Latency by load, 0.3 MP",
    )
    axis.legend(fontsize=8)
    axis.grid(visible=True, which="both", alpha=0.3)


def _memory(axis: Any, figures: "Figures") -> None:
    waiting, held = zip(*figures.backlog_mb, strict=True)
    axis.plot(waiting, held, marker="o", label="peak in a backlog")
    axis.axhline(110, linestyle="--", color="C0", label="goal of that")
    axis.axhline(figures.idle.memory_unasked_mb, color="C1", label="idle, before the first question")
    axis.axhline(figures.idle.memory_mb, color="C2", label="idle, after it")
    rows = figures.grown.milliseconds[-1][0]
    axis.axhline(figures.grown.memory_mb, color="C3", label=f"idle, {rows:,} results, after large questions")
    axis.set(xscale="log", ylim=(0, 120), xlabel="photos that wait", ylabel="MB resident", title="Memory by backlog")
    axis.legend(fontsize=8, loc="lower right")
    axis.grid(visible=True, which="both", alpha=0.3)


def _ledger(axis: Any, figures: "Figures") -> None:
    sizes, costs = zip(*figures.grown.milliseconds, strict=True)
    axis.plot(sizes, costs, marker="o")
    axis.set(
        xscale="log",
        ylim=(0, max(costs) * 1.5),
        xlabel="rows in the ledger",
        ylabel="ms a photo",
        title="The ledger's cost",
    )
    axis.grid(visible=True, alpha=0.3)


def _boards(axis: Any, figures: "Figures") -> None:
    law = cost(figures)
    sizes = np.geomspace(0.3, 12, 30)
    for board in BOARDS:
        low, high = zip(*(law.per_second(board, size) for size in sizes), strict=True)
        axis.fill_between(sizes, low, high, alpha=0.4, label=f"{board.name}, predicted")
    measured = [(race.material.kind.megapixels, race.per_second("daemon")) for race in figures.races]
    axis.plot(*zip(*measured, strict=True), "ko-", label="this machine, measured")
    axis.set(
        xscale="log", yscale="log", xlabel="megapixels", ylabel="photos/s, all cores", title="Predicted, not measured"
    )
    axis.legend(fontsize=8)
    axis.grid(visible=True, which="both", alpha=0.3)
