"""Progress bars on a terminal, nothing elsewhere."""

import contextlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


@contextlib.contextmanager
def tracking_as_one(stages: Mapping[str, float]) -> Iterator[Track]:
    """Give a Track that draws one bar for all that is tracked, on stderr where that is a terminal.

    stages are the parts' shares of the whole, in their order, by what they are called when they are tracked. A part
    that comes again, or is not among them, shows its name and moves nothing; one that is left out is passed over.
    """
    if not sys.stderr.isatty():
        yield untracked
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    begins = dict(zip(stages, itertools.accumulate(stages.values(), initial=0.0), strict=False))
    # a descriptor of its own: that of stderr is closed to TensorFlow's messages meanwhile
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal,
        Progress(*columns, console=Console(file=terminal, force_terminal=True), transient=True) as progress,
    ):
        task = progress.add_task("starting", total=sum(stages.values()))

        def track(items: Sequence[T], what: str) -> Iterator[T]:
            begin = begins.pop(what, None)
            share = 0.0 if begin is None else stages[what]
            progress.update(task, description=what, completed=begin)
            for item in _interruptible(items):
                yield item
                progress.advance(task, share / len(items))

        yield track


def _interruptible(items: Iterable[T]) -> Iterator[T]:
    for item in items:
        interruption.check()
        yield item
