"""Somebody who looks at the results all the time, and compares each with the books."""

import time
from dataclasses import dataclass
from typing import Any

from tests.soak.books import Books
from tests.support.daemon import DaemonProcess

LONGEST_LAG = 10.0
"""Seconds for which a photo that was overwritten, renamed or removed may keep its former result, on a quiet machine."""


@dataclass(slots=True)
class Witness:
    """Looks at what the daemon shows of photos in the inbox."""

    daemon: DaemonProcess
    books: Books
    longest_lag: float
    compared: int = 0
    """Results so far."""
    oldest: float = 0.0
    """Seconds for which the content of a result had been gone already, at most."""

    def look(self) -> None:
        """Compare all results that are shown now. Raise AssertionError where one is wrong."""
        asked = time.monotonic()
        page = self.daemon.get("/results?limit=1000&present=true&status=classified")["results"]
        answered = time.monotonic()
        faults = [fault for result in page if (fault := self._compare(result, asked, answered))]
        self.compared += len(page)
        assert not faults, "; ".join(faults[:5])

    def _compare(self, result: dict[str, Any], asked: float, answered: float) -> str | None:
        name, sha256 = result["file"], result["sha256"]
        scores = self.books.scores(name, sha256, answered)
        if scores is None:
            return f"{name} never had the content {sha256[:8]} of its result {result['id']}"
        if scores != result["scores"]:
            return f"{name} has wrong scores: {result['scores']}"
        age = self.books.age(name, sha256, asked)
        self.oldest = max(self.oldest, age)
        return f"{name} has had another content for {age:.1f} s" if age > self.longest_lag else None
