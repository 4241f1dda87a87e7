"""A progress bar for long work, where stderr is a terminal."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from dogid.judging.judge import Progress

T = TypeVar("T")


class ProgressBar(Progress):
    """Draws a bar on stderr while items are worked on, and nothing into a file or pipe."""

    def track(self, items: Iterable[T], count: int, what: str) -> Iterator[T]:
        """Yield the items, of which there are count."""
        if not sys.stderr.isatty():
            yield from items
            return
        from rich.console import Console
        from rich.progress import track

        yield from track(items, what, total=count, console=Console(stderr=True), transient=True)
