"""What many cases of one part have found."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class CaseReport:
    """Figures and faults of a part."""

    figures: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
