"""Coordinates of the SVG chart of photos per day."""

import datetime as dt
from dataclasses import dataclass

from dogid.web.pages.daily_counts import DailyCounts

WIDTH, HEIGHT = 340, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 4, 8, 20  # margins, with space for the numbers of both axes
_GAP = 5  # between two bars


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a bar that stands for one label."""

    label: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """The bar of one day."""

    x: float
    day: dt.date
    description: str
    """The day and its counts, as text."""
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars and their scale."""

    bars: tuple[DayBar, ...]
    bar_width: float
    top: int
    """The number at the top of the scale."""
    labels: tuple[str, ...]


def build_chart(counts: DailyCounts) -> Chart:
    """Return the chart of some counts, WIDTH x HEIGHT units large."""
    step = (WIDTH - _LEFT - _RIGHT) / len(counts.days)
    top = _round_top(max(counts.totals))
    scale = (HEIGHT - _TOP - _BOTTOM) / top
    bars: list[DayBar] = []
    for at, day in enumerate(counts.days):
        segments: list[Segment] = []
        parts: list[str] = []
        y = float(HEIGHT - _BOTTOM)
        for label, numbers in counts.series:
            if not numbers[at]:
                continue
            height = numbers[at] * scale
            y -= height
            segments.append(Segment(label, round(y, 1), round(height, 1)))
            parts.append(f"{numbers[at]} {label}")
        description = f"{day:%A} {day.day} {day:%B}: {', '.join(parts) or 'none'}"
        bars.append(DayBar(round(_LEFT + at * step + _GAP / 2, 1), day, description, tuple(segments)))
    return Chart(tuple(bars), round(step - _GAP, 1), top, tuple(label for label, _ in counts.series))


def _round_top(most: int) -> int:
    """Return the smallest number of one digit and zeros that is not less than most."""
    size = 1
    while True:
        for factor in range(1, 10):
            if factor * size >= most:
                return factor * size
        size *= 10
