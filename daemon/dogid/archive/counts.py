"""How far a run is: counted by its engine, shown by `progress`, printed as its summary."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dogid.archive.output_folder import Done


@dataclass(slots=True)
class Counts:
    """What a run has done."""

    photos: int
    """In the listing."""
    before: int
    """Photos of the listing that had their row before."""
    classified: int = 0
    """In this run; and so are the next."""
    errors: Counter[str] = field(default_factory=Counter)
    """Failed photos by the code of their error."""
    started: float = field(default_factory=time.monotonic)

    @property
    def new(self) -> int:
        """Photos that this run has answered."""
        return self.classified + self.errors.total()

    @property
    def left(self) -> int:
        """Photos that are still to be answered."""
        return max(0, self.photos - self.before - self.new)

    @property
    def seconds(self) -> float:
        """Since the engine began."""
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Photos a second in this run."""
        return self.new / self.seconds if self.new else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until the end, at the rate so far; None while there is none."""
        return self.left / self.rate if self.rate else None

    def add(self, codes: Iterable[str | None]) -> None:
        """Count results by the codes of their errors, None for a classified one."""
        for code in codes:
            if code is None:
                self.classified += 1
            else:
                self.errors[code] += 1


def summarise(counts: Counts, done: Done, *, output: str, source: str, engine: str, model: str) -> dict[str, Any]:
    """Return the summary of a run as JSON has it; done is what the folder has after it."""
    return {
        "output": output,
        "source": source,
        "engine": engine,
        "model": model,
        "photos": counts.photos,
        "done_before": counts.before,
        "new": counts.new,
        "missing": counts.left,
        "counts": {"classified": done.classified, "failed": done.errors.total()},
        "errors": dict(done.errors),
        "seconds": round(counts.seconds, 3),
        "photos_per_second": round(counts.rate, 2),
    }
