"""Progress bars on a terminal, nothing elsewhere."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from dogid_convert.support import interruption

T = TypeVar("T")


class Track(Protocol):
    """Pass on a sequence's items and show meanwhile how far it is."""

    def __call__(self, items: Sequence[T], what: str) -> Iterator[T]:
        """Yield the items."""


def untracked(items: Sequence[T], what: str) -> Iterator[T]:  # noqa: ARG001
    """Yield the items and show nothing."""
    yield from _interruptible(items)


@contextlib.contextmanager
def tracking() -> Iterator[Track]:
    """Give a Track that draws bars on stderr where that is a terminal and rich is installed."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield untracked
        return
    if not sys.stderr.isatty():
        yield untracked
        return

    def track(items: Sequence[T], what: str) -> Iterator[T]:
        # one bar at a time: a bar that lives on would draw into the hidden stderr of TensorFlow
        with Progress(console=Console(stderr=True), transient=True) as progress:
            yield from _interruptible(progress.track(items, description=what, total=len(items)))

    yield track


def _interruptible(items: Iterable[T]) -> Iterator[T]:
    for item in items:
        interruption.check()
        yield item
