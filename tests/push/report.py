"""What a part of the push has found."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Figures for people, and faults; one without faults has passed."""

    figures: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people: a line for each figure and fault."""
        lines = [f"{len(self.faults)} faults", *self.figures, *(f"FAULT: {fault}" for fault in self.faults)]
        return "\n  ".join(lines)
