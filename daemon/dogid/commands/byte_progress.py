"""A progress bar of bytes, for commands that copy large files."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def show_byte_progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while the context lasts, if that is a terminal; yield what takes bytes that are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)
