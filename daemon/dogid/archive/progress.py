"""Shows how far a run is: a bar where stderr is a terminal, a line every so often elsewhere."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from dogid.archive.counts import Counts
from dogid.quantities import count_of

# Raising this makes the log of a run that goes on for days shorter, and a reader of it wait longer.
LINE_SECONDS = 60.0
_BAR_SECONDS = 0.25


@contextlib.contextmanager
def show_progress(counts: Counts, print_message: Callable[[str], None]) -> Iterator[None]:
    """Show counts, which an engine counts up meanwhile, until the context ends."""
    ended = threading.Event()
    shown = _draw_bar if sys.stderr.isatty() else _print_lines
    thread = threading.Thread(target=shown, args=(counts, print_message, ended), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def describe(counts: Counts) -> str:
    """Return how far a run is in one line."""
    parts = [f"{counts.before + counts.new:,} of {count_of(counts.photos, 'photo')}", f"{counts.rate:.1f} photos/s"]
    if counts.errors:
        failed = ", ".join(f"{number:,} {code}" for code, number in counts.errors.most_common())
        parts.append(f"failed: {failed}")
    if counts.left and counts.seconds_left is not None:
        end = time.localtime(time.time() + counts.seconds_left)
        parts.append(f"ends about {time.strftime('%Y-%m-%d %H:%M', end)}")
    return "; ".join(parts)


def _print_lines(counts: Counts, print_message: Callable[[str], None], ended: threading.Event) -> None:
    while not ended.wait(LINE_SECONDS):
        print_message(describe(counts))


def _draw_bar(counts: Counts, _: Callable[[str], None], ended: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=counts.photos)
        while not ended.wait(_BAR_SECONDS):
            bar.update(task, completed=counts.before + counts.new, description=describe(counts), refresh=True)
