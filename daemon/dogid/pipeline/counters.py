"""Counts of outcomes and durations since the daemon started, for /metrics.

Kept by hand so that nothing is imported or looked up for a photo; the Prometheus library is loaded when first asked.
"""

import bisect
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dogid.ledger.outcomes import Classified, Failed, Outcome

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds, as in Prometheus' own client with two finer ones."""


@dataclass(slots=True)
class Histogram:
    """Counts by bucket, the last for whatever is longer than every bound."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0
    """Seconds of all together."""

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def copy(self) -> "Histogram":
        """Return a copy that no later `observe` changes."""
        return Histogram(list(self.counts), self.total)


class ResultCounters:
    """Outcomes by status and label, and the time that each stage took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._stages = {"decode": Histogram(), "invoke": Histogram(), "total": Histogram()}

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes that are in the ledger."""
        with self._lock:
            for outcome in outcomes:
                match outcome:
                    case Classified():
                        self._outcomes["classified", next(iter(outcome.scores))] += 1
                        self._stages["decode"].observe(outcome.timings.decode / 1000)
                        self._stages["invoke"].observe(outcome.timings.invoke / 1000)
                        self._stages["total"].observe(outcome.timings.total / 1000)
                    case Failed():
                        self._outcomes["failed", outcome.code] += 1

    def outcome_counts(self) -> dict[tuple[str, str], int]:
        """Return how many photos were `classified` with a label, or `failed` with a code."""
        with self._lock:
            return dict(self._outcomes)

    def stage_durations(self) -> dict[str, Histogram]:
        """Return how long the stages `decode`, `invoke` and `total` took, in seconds."""
        with self._lock:
            return {stage: histogram.copy() for stage, histogram in self._stages.items()}
