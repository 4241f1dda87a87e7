"""The chart of the last days, as the numbers that its SVG is made of."""

from dataclasses import dataclass

from dogid.web.pages.daily_counts import DailyCounts

WIDTH, HEIGHT = 340, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 4, 8, 20  # room for the axis' numbers, and the days'
_GAP = 5


@dataclass(frozen=True, slots=True)
class Block:
    """One label of one day."""

    series: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One day."""

    x: float
    name: str
    """The day of the month."""
    told: str
    """The day and its counts, in words."""
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars, and the line at the top of the scale."""

    bars: tuple[Bar, ...]
    bar_width: float
    top: int
    """The number at the top of the scale."""
    labels: tuple[str, ...]


def chart(counts: DailyCounts) -> Chart:
    """Lay out the bars of some days, inside WIDTH x HEIGHT."""
    step = (WIDTH - _LEFT - _RIGHT) / len(counts.days)
    top = _round_top(max(counts.totals))
    scale = (HEIGHT - _TOP - _BOTTOM) / top
    bars: list[Bar] = []
    for at, day in enumerate(counts.days):
        blocks: list[Block] = []
        told: list[str] = []
        y = float(HEIGHT - _BOTTOM)
        for series, (label, numbers) in enumerate(counts.series):
            if not numbers[at]:
                continue
            height = numbers[at] * scale
            y -= height
            blocks.append(Block(series, round(y, 1), round(height, 1)))
            told.append(f"{numbers[at]} {label}")
        words = f"{day:%A} {day.day} {day:%B}: {', '.join(told) or 'none'}"
        bars.append(Bar(round(_LEFT + at * step + _GAP / 2, 1), str(day.day), words, tuple(blocks)))
    return Chart(tuple(bars), round(step - _GAP, 1), top, tuple(label for label, _ in counts.series))


def _round_top(most: int) -> int:
    """The least number of one digit and zeros that is not below the largest number."""
    size = 1
    while True:
        for factor in range(1, 10):
            if factor * size >= most:
                return factor * size
        size *= 10
