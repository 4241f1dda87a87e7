"""The table: each goal, its figure, and whether it was met."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Row:
    """One goal; figure is None where it could not be measured here."""

    key: str
    what: str
    figure: float | None
    unit: str
    sense: Literal["at least", "at most", "info"]
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure over the goal: at least 1 is met for `at least`, at most 1 for `at most`; None for differences."""
        return None if self.figure is None or not self.goal or self.goal < 0 else self.figure / self.goal

    @property
    def met(self) -> bool | None:
        """Whether it was reached; None where nothing was asked or measured."""
        if self.figure is None or self.goal is None or self.sense == "info":
            return None
        return self.figure >= self.goal if self.sense == "at least" else self.figure <= self.goal


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For --json."""
    return [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows]


def as_table(rows: Sequence[Row]) -> str:
    """For people, in Markdown."""
    lines = ["| figure | goal | measured | of the goal | |", "| --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        sign = {"at least": ">= ", "at most": "<= ", "info": ""}[row.sense]
        goal = "" if row.goal is None else f"{sign}{row.goal:g} {row.unit}"
        figure = "not measured" if row.figure is None else f"{_rounded(row.figure)} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = {True: "met", False: "**missed**", None: ""}[row.met]
        lines.append(f"| {row.what} | {goal} | {figure} | {ratio} | {verdict} |")
    return "\n".join(lines)


def _rounded(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
